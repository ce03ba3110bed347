// All parts are there: the page begins.
if (!chinese) {
  document.documentElement.lang = "en";
  for (const node of document.querySelectorAll("[data-en]")) {
    for (const [name, text] of Object.entries(JSON.parse(node.dataset.en))) {
      if (name === "text") node.textContent = text;
      else node.setAttribute(name, text);
    }
  }
}
const start = JSON.parse($("start").textContent);
take(start.corp, start.messages);
listen();
