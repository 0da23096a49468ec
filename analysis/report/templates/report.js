// Draws each figure from its specification; the static image stays until that succeeds.
"use strict";
for (const figure of document.querySelectorAll("figure[data-figure]")) {
  const spec = JSON.parse(figure.querySelector("script").textContent);
  const options = {
    mode: "vega-lite",
    renderer: "svg",
    ast: true, // interprets expressions, because the page's policy forbids eval
    actions: { export: true, source: false, compiled: false, editor: false },
    downloadFileName: figure.dataset.figure,
  };
  window.vegaEmbed(figure.querySelector(".live"), spec, options).then(
    () => figure.classList.add("drawn"),
    (error) => console.error(figure.dataset.figure, error),
  );
}
