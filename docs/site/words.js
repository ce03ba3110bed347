// How a text becomes the words that the search of the site knows.
//
// Chinese has no spaces: each pair of neighbouring Han characters is a word, so that a term is found wherever it
// stands. A segmenter (`Intl.Segmenter`) would cut by its dictionary, and Node's and the browser's differ.
//
// VitePress copies this function as text into the page: it may use nothing outside itself.
export function words(text) {
  const found = []
  for (const run of text.toLowerCase().match(/\p{Script=Han}+|[\p{L}\p{N}_]+/gu) ?? []) {
    const parts = run.match(/\p{Script=Han}+|[^\p{Script=Han}]+/gu)
    for (const part of parts) {
      if (!/\p{Script=Han}/u.test(part) || part.length === 1) found.push(part)
      else for (let at = 0; at + 1 < part.length; at++) found.push(part.slice(at, at + 2))
    }
  }
  return found
}
