// Shows the figures of the chosen kinds that have a claim with a chosen verdict and contain the words.
const form = document.querySelector(".filters");
const articles = [...document.querySelectorAll("article")];
const chosen = (name) => new Set([...form.querySelectorAll(`[name=${name}]:checked`)].map((box) => box.value));
function filter() {
  const verdicts = chosen("verdict"), kinds = chosen("kind");
  const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const article of articles) {
    const claims = [...article.querySelectorAll(".claim")];
    for (const claim of claims) claim.hidden = !verdicts.has(claim.dataset.verdict);
    const text = article.textContent.toLowerCase();
    const fits = kinds.has(article.dataset.kind) && words.every((word) => text.includes(word));
    article.hidden = !(fits && (claims.length === 0 || claims.some((claim) => !claim.hidden)));
    shown += !article.hidden;
  }
  document.getElementById("count").textContent = `${shown} of ${articles.length} shown`;
}
form.addEventListener("input", filter);
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));
filter();
