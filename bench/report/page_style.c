/* page_style.c - how the page looks: a column of cards that a phone shows one below the other and paper never cuts. */
#include "page_private.h"

#include "drawing.h"

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--line:#d5dae0;--paper:#fff;--stripe:#f4f6f8;"
    "--warn:#8a4b00}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa5b1;--line:#343c45;--paper:#14181d;"
    "--stripe:#1c2229;--warn:#f0b060}}\n"
    "*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}body{margin:0 auto;max-width:72rem;padding:1.5rem 1rem "
    "4rem;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:1.6rem;margin:0 0 .25rem}h2{font-size:1.25rem;margin:2.5rem 0 .25rem;overflow-wrap:anywhere}"
    "h3{font-size:1rem;margin:1.5rem 0 .25rem}p{margin:.25rem 0;max-width:54rem;overflow-wrap:anywhere}"
    "a{color:inherit}.soft{color:var(--soft)}.warn{color:var(--warn)}"
    "details{margin:.5rem 0}summary{cursor:pointer;color:var(--soft)}abbr{text-decoration:none;cursor:help}"
    "sup{font-size:.7em;line-height:0;font-weight:400}sup a{text-decoration:none;color:var(--soft);padding:0 .1em}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1.5rem 2rem;"
    "margin:1rem 0;align-items:start}figure{margin:0;min-width:0}figure.whole{grid-column:1/-1}"
    "figcaption{font-size:.8rem;color:var(--soft);margin-top:.25rem;max-width:54rem}"
    "figure h3{margin:0 0 .25rem}.drawing{display:block;width:100%;height:auto;max-width:34rem}"
    ".drawing text{font-variant-numeric:tabular-nums}"
    ".whole .drawing{max-width:none;min-width:36rem}.slide{overflow-x:auto}\n"
    ".wide{overflow-x:auto;max-height:40rem;overflow-y:auto;border:1px solid var(--line);border-radius:6px}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:.8125rem}"
    "th,td{padding:.25rem .5rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}"
    "th{font-weight:600;color:var(--soft);position:sticky;top:0;background:var(--paper)}"
    "th.text,td.text{text-align:left}td.text{max-width:16rem;overflow:hidden;text-overflow:ellipsis}"
    "tbody tr:nth-child(even){background:var(--stripe)}tbody tr:last-child td{border-bottom:0}\n"
    "ul.quotes{padding-left:1.2rem;font-size:.875rem}ul.quotes li{margin:.2rem 0;overflow-wrap:anywhere}"
    "ol.words{font-size:.875rem;padding-left:1.6rem}ol.words li{margin:.2rem 0}ol.words "
    "li:target{background:var(--stripe)}"
    "code{font-family:ui-monospace,monospace;font-size:.85em}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;font-size:.875rem;margin:.5rem 0}"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
    "@media(max-width:600px){td.text{max-width:9rem}dl{grid-template-columns:1fr}dd{margin-bottom:.3rem}}\n"
    "@media print{body{max-width:none;padding:0;font-size:10pt}.wide{overflow:visible;max-height:none;border:0}"
    "table{font-size:6.5pt}th,td{padding:.1rem "
    ".15rem;white-space:normal;overflow-wrap:anywhere}th{position:static}.slide{overflow:visible}"
    ".charts{grid-template-columns:1fr 1fr}.whole .drawing{min-width:0}figure,tr,li{break-inside:avoid}"
    "h2,h3{break-after:avoid}details::details-content{content-visibility:visible;display:block}}\n";

void tare__page_style(FILE *out)
{
    fprintf(out, "<style>\n%s", style);
    tare__drawing_colours(out, true);
    fputs("</style>", out);
}
