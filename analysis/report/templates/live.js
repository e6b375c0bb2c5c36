
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
  const chosen = fields.quantity.value, offered = page.querySelector("[name=quantity]");
  fields.quantity.replaceChildren(...document.importNode(offered, true).childNodes);
  if ([...fields.quantity.options].some((option) => option.value === chosen)) fields.quantity.value = chosen;
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
    }
    news.textContent = answer.ok || answer.status === 304
      ? `${running} Last looked at ${new Date().toLocaleTimeString()}.` : `The server says ${answer.status}: ${answer.statusText}`;
  } catch {
    news.textContent = "ademamix watch has ended; the page shows what it last had.";
  }
  setTimeout(refresh, 1000 * Number(news.dataset.every));
}
setTimeout(refresh, 1000 * Number(news.dataset.every));
