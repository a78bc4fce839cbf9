/* Unfold's pages under a content policy without unsafe-eval.

Alpine's build for such policies reads expressions by a parser of its own, and knows no global names. What of Unfold's
expressions it cannot read stands in these few places: they are put into words that it reads, before Alpine starts. If a
new Unfold has more of them, tests/browser says so: what cannot be read is an error in the console. */
(() => {
    "use strict";

    const inTheme = {
        resizeSidebar(event, element, least, most) {
            const bar = document.getElementById("nav-sidebar").getBoundingClientRect();
            const isRightToLeft = getComputedStyle(element).direction === "rtl";
            const width = isRightToLeft ? bar.right - event.clientX : event.clientX;
            this.sidebarWidth = Math.min(most, Math.max(least, width));
            localStorage.setItem("sidebarWidth", this.sidebarWidth);
        },
        follow: (link) => window.location.assign(link.href + window.location.hash),
        ownAddress: () => window.location.pathname + window.location.search,
        getCurrentTab: () => window.getCurrentTab(),
        sortRecords: (event) => window.sortRecords(event),
    };
    const said = [
        ["x-on:mousemove.window", /^if \(resizing\)/, "resizing && resizeSidebar($event, $el, min, max)"],
        ["x-bind:style", /^`width: \$\{sidebarWidth\}px`$/, "'width: ' + sidebarWidth + 'px'"],
        ["x-bind:action", /window\.location\.pathname \+ window\.location\.search/g, "ownAddress()"],
        ["x-on:click", /^if \(!\$event\.target\.closest\('a'\)\) \{ (.*) \}$/, "$event.target.closest('a') || ($1)"],
        ["x-on:click.prevent", /^window\.location\.href = \$el\.href \+ window\.location\.hash$/, "follow($$el)"],
        ["x-on:keydown.enter.prevent", /^if \((.*?)\) (select.*)$/, "($1) && $2"],
    ];

    document.addEventListener("alpine:init", () => {
        window.Alpine.data("theme", (...given) => Object.assign(window.theme(...given), inTheme));
        window.Alpine.data("searchCommand", window.searchCommand);
        for (const [name, before, after] of said) {
            for (const element of document.querySelectorAll(`[${CSS.escape(name)}]`)) {
                const text = element.getAttribute(name).trim();
                if (text.search(before) >= 0) {
                    element.setAttribute(name, name === "x-on:mousemove.window" ? after : text.replace(before, after));
                }
            }
        }
    });
})();
