// All parts are there: the page begins.
const start = JSON.parse($("start").textContent);
take(start.corp, start.messages);
listen();
