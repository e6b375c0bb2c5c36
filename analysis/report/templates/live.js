
// Asks for the page again every few seconds, and takes over what is new; what was chosen in it stays.
const news = find("live"), PARTS = ["common", "lines", "settings"];
let tag = "";
function adopt(text) {
  const page = new DOMParser().parseFromString(text, "text/html"), focused = document.activeElement?.id;
  for (const id of PARTS) {
    const [old, now] = [find(id), page.getElementById(id)];
    if (old.dataset.text === now.innerHTML) continue;
    const open = [...old.querySelectorAll("details")].map((one) => one.open);
    old.dataset.text = now.innerHTML;
    old.replaceChildren(...document.importNode(now, true).childNodes);
    old.querySelectorAll("details").forEach((one, i) => (one.open = open[i]));
  }
  for (const box of boxes()) box.checked = !hidden.has(box.value);
  // Options that are moved one by one would each be the chosen one for a moment, and the last would stay.
  const chosen = fields.quantity.value, offered = page.querySelector("[name=quantity]");
  fields.quantity.innerHTML = offered.innerHTML;
  fields.quantity.value = [...fields.quantity.options].some((option) => option.value === chosen) ? chosen : offered.value;
  data = JSON.parse(page.getElementById("data").textContent);
  offer();
  if (focused) find(focused)?.focus({ preventScroll: true });
  draw();
  return page.getElementById("live").textContent;
}
let running = news.textContent;
async function refresh() {
  try {
    // With the tag of what it has: the server sends nothing where that is all there is.
    const answer = await fetch(location.href, { headers: tag ? { "If-None-Match": tag } : {}, cache: "no-store" });
    if (answer.status === 200) {
      running = adopt(await answer.text());
      tag = answer.headers.get("ETag") ?? "";
    } else if (answer.status !== 304) throw new Error(await answer.text());
    news.textContent = `${running} Last looked at ${new Date().toLocaleTimeString()}.`;
  } catch (problem) {
    const gone = problem instanceof TypeError; // what fetch throws where nobody answers
    news.textContent = `${gone ? "ademamix watch has ended" : problem.message}; the page shows what it last had.`;
  }
  setTimeout(refresh, 1000 * Number(news.dataset.every));
}
setTimeout(refresh, 1000 * Number(news.dataset.every));
