// Order of search results: questions, then pages by their terms, last the reference and the history; pages in Chinese
// for words in Chinese alone. The numbers beside `score` are those of Sphinx.
const _inChinese = /\p{Script=Han}/u.test(new URLSearchParams(window.location.search).get("q") ?? "");
const _places = [
  [/^docs\/(zh\/)?faq$/, 20],
  [/^docs\/(api|methods|losses)\/|^docs\/(papers|errata|benchmarks|decisions|architecture)$|^CHANGELOG$/, -10],
];
var Scorer = {
  score: ([docname, , , , score]) => {
    const moved = _places.filter(([pattern]) => pattern.test(docname)).map(([, by]) => by);
    const otherLanguage = docname.startsWith("docs/zh/") !== _inChinese;
    return score + moved.reduce((sum, by) => sum + by, 0) - (otherLanguage ? 40 : 0);
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
