// The site of the documentation, for VitePress.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import GithubSlugger from 'github-slugger'
import { words } from '../words.js'

const made = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../target/site')
const pages = path.join(made, 'pages')
const title = name => {
  const heading = fs.readFileSync(path.join(pages, name), 'utf8').match(/^# (.+)$/m)
  return heading ? heading[1].replace(/`/g, '') : name
}

// The order in which a new user needs the pages.
const parts = [
  [{ zh: '开始', en: 'Begin' }, ['index', 'install', 'wecom-setup', 'bots', 'callback']],
  [{ zh: '来源', en: 'Senders' }, ['grafana', 'alertmanager', 'sources', 'drop-in', 'migrate-from-wechat_grafana']],
  [{ zh: '消息', en: 'Messages' }, ['reading', 'pictures', 'templates', 'links']],
  [{ zh: '值班', en: 'On duty' }, ['duty', 'silences', 'console', 'api']],
  [{ zh: '运行', en: 'Operation' },
    ['configuration', 'operations', 'runbooks', 'deploy/index', 'performance', 'reliability', 'fault-matrix']],
  [{ zh: '项目', en: 'Project' }, ['changelog', 'architecture', 'contributing', 'security']],
]

const sidebar = (language, folder) => parts.map(([text, names]) => ({
  text: text[language],
  items: names
    .map(name => folder + name + '.md')
    .map(place => ({ text: title(place), link: '/' + place.replace(/(index)?\.md$/, '') })),
}))

export default {
  title: 'wegraf',
  description: '把告警送到企业微信 · Alerts that arrive in WeCom',
  srcDir: pages,
  outDir: path.join(made, 'html'),
  cacheDir: path.join(made, 'cache'),
  // A folder on any server: `file.html` needs no rule of rewriting.
  cleanUrls: false,
  lastUpdated: false,
  markdown: {
    // The repository's pages name headings as GitHub does, Han characters kept.
    anchor: { slugify: text => new GithubSlugger().slug(text) },
    // Templates are written with `{{ }}`, which Vue would run.
    config: md => {
      for (const rule of ['text', 'code_inline']) {
        const before = md.renderer.rules[rule]
        md.renderer.rules[rule] = (...all) => before(...all).replaceAll('{{', '&#123;&#123;')
      }
    },
  },
  locales: {
    root: { label: '中文', lang: 'zh-CN', themeConfig: {
      sidebar: sidebar('zh', ''),
      outline: { label: '本页', level: [2, 3] },
      docFooter: { prev: '上一页', next: '下一页' },
      sidebarMenuLabel: '目录', returnToTopLabel: '回到顶部', langMenuLabel: '语言',
      darkModeSwitchLabel: '深色', lightModeSwitchTitle: '浅色', darkModeSwitchTitle: '深色',
    } },
    en: { label: 'English', lang: 'en', themeConfig: {
      sidebar: sidebar('en', 'en/'),
      outline: { label: 'On this page', level: [2, 3] },
    } },
  },
  themeConfig: {
    search: { provider: 'local', options: {
      miniSearch: {
        options: { tokenize: words },
        searchOptions: { combineWith: 'AND', prefix: true, fuzzy: false, boost: { title: 4, text: 2, titles: 1 } },
      },
      locales: { root: { translations: {
        button: { buttonText: '搜索', buttonAriaLabel: '搜索' },
        modal: {
          noResultsText: '没有找到', resetButtonTitle: '清除', backButtonTitle: '返回', displayDetails: '显示详情',
          footer: { selectText: '打开', navigateText: '移动', closeText: '关闭' },
        },
      } } },
    } },
  },
}
