// Lays the pages of the site: each Markdown file that a README leads to, and the changelog; Chinese at the top, English
// below `en/`.
//
// The repository keeps a page and its twin side by side (`grafana.md`, `grafana.en.md`); a site has a folder for each
// language. A page without a twin is in both languages itself and stands in both folders. Links follow their page. What
// is no page (a manifest, a dashboard) is copied and can be downloaded.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const site = path.dirname(fileURLToPath(import.meta.url))
const repository = path.resolve(site, '../..')
const pages = path.join(repository, 'target/site/pages')

// The place of a page in the site, relative to its top: `docs/x.en.md` is `en/x.md`, `README.md` is `index.md`.
function placeOf(file, english) {
  let name = file.replace(/(\.en)?\.md$/, '').replace(/^docs\//, '').toLowerCase()
  name = name.replace(/(^|\/)readme$/, '$1index')
  return (english ? 'en/' : '') + name + '.md'
}

const exists = file => fs.existsSync(path.join(repository, file))
const isEnglish = file => file.endsWith('.en.md')
const twin = file => file.replace(/(\.en)?\.md$/, '.en.md')
const isFile = file => exists(file) && fs.statSync(path.join(repository, file)).isFile()
const relative = (from, to) => {
  const way = path.posix.relative(path.posix.dirname(from), to)
  return way.startsWith('.') ? way : './' + way
}

function put(place, content) {
  const to = path.join(pages, place)
  fs.mkdirSync(path.dirname(to), { recursive: true })
  fs.writeFileSync(to, content)
}

// Links and pictures; code is matched first and left alone, for a span that shows a link has none.
const LINKS = /^(?:```|~~~)[^]*?^(?:```|~~~)[ \t]*$|(!?)\[((?:`[^`\n]*`|[^\]`])*)\]\(([^)\s]+)\)|<img src="([^"]+)"|`[^`\n]+`/gm

// Lays a page in a language's folder and returns the pages that it leads to.
function lay(file, english) {
  const place = placeOf(file, english)
  const led = []
  const follow = target => {
    const [name, anchor] = target.split('#')
    if (!name || /^[a-z]+:/.test(name)) return target
    const meant = path.posix.join(path.posix.dirname(file), name)
    if (!exists(meant)) throw new Error(`${file}: ${target} leads nowhere`)
    if (meant.endsWith('.md')) {
      // A page in both languages leads each reader on in their own language; a heading has its name in one of them.
      const own = english && !anchor && !isEnglish(file) && exists(twin(meant)) ? twin(meant) : meant
      led.push(own)
      const there = isEnglish(own) || (english && !exists(twin(own)))
      return relative(place, placeOf(own, there)) + (anchor ? '#' + anchor : '')
    }
    // A folder has no page.
    if (!isFile(meant)) return null
    // Without an ending it would be taken for a page.
    const download = 'files/' + meant + (path.extname(meant) ? '' : '.txt')
    put('public/' + download, fs.readFileSync(path.join(repository, meant)))
    return '/' + download
  }
  const text = fs.readFileSync(path.join(repository, file), 'utf8')
  // What changed between versions is listed, not explained: the search leaves it out.
  const front = file === 'CHANGELOG.md' ? '---\nsearch: false\n---\n\n' : ''
  put(place, front + text.replace(LINKS, (all, image, label, target, picture) => {
    if (picture) return `<img src="${follow(picture)}"`
    if (!target) return all
    const to = follow(target)
    return to === null ? label : `${image}[${label}](${to})`
  }))
  return led
}

fs.rmSync(pages, { recursive: true, force: true })
const wanted = ['README.md', 'README.en.md', 'CHANGELOG.md']
const laid = new Set()
while (wanted.length) {
  const file = wanted.shift()
  if (!laid.has(file)) {
    laid.add(file)
    const folders = isEnglish(file) ? [true] : exists(twin(file)) ? [false] : [false, true]
    wanted.push(...folders.flatMap(english => lay(file, english)))
  }
}
// Every page for people is reached from a README; a page that is not would be in no index either.
const lost = fs.readdirSync(path.join(repository, 'docs'))
  .filter(name => name.endsWith('.md') && !laid.has('docs/' + name))
if (lost.length) throw new Error(`no page leads to docs/${lost.join(', docs/')}`)
// A page finds the site's packages on its way upwards.
const packages = path.join(path.dirname(pages), 'node_modules')
fs.rmSync(packages, { force: true })
fs.symlinkSync(path.join(site, 'node_modules'), packages)
console.log(`${laid.size} pages in ${path.relative(repository, pages)}`)
