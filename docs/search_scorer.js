// Order of search results: headings and names that are searched for, the FAQ, pages, the reference and the history; pages
// in Chinese first for words in Chinese, last for others. The numbers beside `score` are those of Sphinx.
const _inChinese = /\p{Script=Han}/u.test(new URLSearchParams(window.location.search).get("q") ?? "");
const _places = [
  [/^docs\/(zh\/)?faq$/, 20],
  [/^docs\/(api|methods|losses)\/|^docs\/(papers|errata|benchmarks|decisions|architecture)$|^CHANGELOG$/, -10],
];
var Scorer = {
  score: ([docname, , , , score, , kind]) => {
    const place = _places.find(([pattern]) => pattern.test(docname));
    const otherLanguage = docname.startsWith("docs/zh/") !== _inChinese;
    return score + (kind === "text" ? (place?.[1] ?? 0) : 20) - (otherLanguage ? 40 : 0);
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
