// Proves what was built: searches find Chinese and English words on the page that is about them, in the index as a
// browser loads it, and each link to a heading has its heading.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import MiniSearch from 'minisearch'
import { words } from './words.js'
import config from './.vitepress/config.js'

const html = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../target/site/html')
const failed = []
const must = (holds, text) => { if (!holds) failed.push(text) }

// The index of a language, as the page reads it.
async function index(language, tokenize) {
  const chunks = path.join(html, 'assets/chunks')
  const name = fs.readdirSync(chunks).find(name => name.startsWith('@localSearchIndex' + language + '.'))
  const { default: text } = await import(pathToFileURL(path.join(chunks, name)))
  const options = config.themeConfig.search.options.miniSearch
  return MiniSearch.loadJSON(text, {
    fields: ['title', 'titles', 'text'], storeFields: ['title', 'titles'],
    searchOptions: options.searchOptions, ...options.options, ...(tokenize && { tokenize }),
  })
}

// The page that a search should name among its first five.
const searches = {
  root: [['静默', '/silences'], ['备份', '/operations'], ['消息推送', '/wecom-setup'], ['值班表', '/duty'],
    ['模板', '/templates'], ['可信域名', '/callback'], ['PostgreSQL', '/operations'], ['errcode', '/operations']],
  en: [['silence', '/silences'], ['audit', '/operations'], ['template', '/templates'], ['PostgreSQL', '/operations']],
}
for (const [language, asked] of Object.entries(searches)) {
  const search = await index(language)
  for (const [text, page] of asked) {
    const found = search.search(text).map(hit => hit.id)
    must(found.length > 0, `${language}: ${text} is not found`)
    must(found.slice(0, 5).some(id => id.includes(page)), `${language}: ${text} leads to ${found.slice(0, 5)}, not to ${page}`)
  }
}
// The control: cut at spaces, as the search does without our words, a term inside a sentence is not found.
const spaces = text => text.split(/[\s\p{P}]+/u)
const plain = await index('root', spaces)
must(plain.search('点一下认领').length === 0, 'a search that cuts at spaces finds Chinese, too: the words prove nothing')
must(words('告警静默').join() === '告警,警静,静默', 'neighbouring Han characters are words')

const pages = fs.readdirSync(html, { recursive: true }).filter(name => name.endsWith('.html'))
const ids = new Map(pages.map(name => {
  const text = fs.readFileSync(path.join(html, name), 'utf8')
  return [name, { text, ids: new Set([...text.matchAll(/ id="([^"]+)"/g)].map(match => match[1])) }]
}))
let links = 0
for (const [name, { text }] of ids) {
  for (const [, target] of text.matchAll(/ href="([^"]+)"/g)) {
    if (/^[a-z]+:|^\/assets\//.test(target)) continue
    const [place, anchor] = target.split('#')
    let to = place ? path.posix.join(place.startsWith('/') ? '' : path.posix.dirname(name), place) : name
    to = to.replace(/^\//, '')
    if (to === '' || to.endsWith('/') || to === '.') to = path.posix.join(to, 'index.html')
    links += 1
    const there = ids.get(to) ?? ids.get(to + '.html')
    must(there || fs.existsSync(path.join(html, to)), `${name}: ${target} leads nowhere`)
    if (anchor && there) must(there.ids.has(decodeURIComponent(anchor)), `${name}: ${target} has no such heading`)
  }
}
must(links > 500, `only ${links} links`)
for (const text of failed) console.error('✗ ' + text)
if (failed.length) process.exit(1)
console.log(`✓ ${pages.length} pages, ${links} links, ${Object.values(searches).flat().length} searches`)
