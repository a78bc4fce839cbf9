/* The rows that are chosen in a list: how many, their exact sums, and the bar with what can be done with them. */
(() => {
    "use strict";

    const SCALE = 4; // no currency has more decimals

    // "1234.5" as a whole number of ten-thousandths: floats would round.
    function exact(text) {
        const [whole, fraction = ""] = text.split(".");
        return BigInt(whole + fraction.padEnd(SCALE, "0").slice(0, SCALE));
    }

    function shown(total, decimals, currency) {
        const language = document.documentElement.lang;
        const digits = total.toString().padStart(SCALE + 1, "0");
        const whole = new Intl.NumberFormat(language).format(BigInt(digits.slice(0, -SCALE)));
        const parts = new Intl.NumberFormat(language, { minimumFractionDigits: 1 }).formatToParts(0.5);
        const mark = parts.find((part) => part.type === "decimal").value;
        const fraction = digits.slice(-SCALE).slice(0, decimals);
        return `${whole}${fraction ? mark + fraction : ""}\u00a0${currency}`;
    }

    function sums(boxes) {
        const totals = new Map();
        for (const box of boxes) {
            const { amount, currency, decimals } = box.dataset;
            const known = totals.get(currency) || { total: 0n, decimals: Number(decimals) };
            known.total += exact(amount);
            totals.set(currency, known);
        }
        return [...totals].map(([currency, known]) => shown(known.total, known.decimals, currency)).join(" · ");
    }

    function start(bar) {
        const form = bar.closest("form");
        const boxes = [...form.querySelectorAll("input.po-check")];
        const field = form.querySelector("[data-bulk-every-field]");
        const part = (name) => bar.querySelector(`[data-bulk-${name}]`);
        const all = document.createElement("input");
        all.type = "checkbox";
        all.className = "po-check";
        all.autocomplete = "off";
        const words = document.createElement("span");
        words.className = "po-all-words";
        words.textContent = bar.dataset.allLabel;
        const label = document.createElement("label");
        label.className = "po-all";
        label.append(all, words);
        const place = form.querySelector("[data-choose-all], th.column-choice .text");
        if (place) {
            place.replaceChildren(label);
        }

        function show() {
            const chosen = boxes.filter((box) => box.checked);
            const isWhole = chosen.length === boxes.length && boxes.length > 0;
            if (!isWhole) {
                field.value = "";
            }
            const isEvery = Boolean(field.value);
            bar.hidden = chosen.length === 0;
            all.checked = isWhole;
            all.indeterminate = chosen.length > 0 && !isWhole;
            part("count").textContent = isEvery ? "" : bar.dataset.said.replace("{chosen}", chosen.length).replace("{rows}", boxes.length);
            part("sums").textContent = isEvery ? "" : sums(chosen);
            for (const [name, isShown] of [["every", isWhole && !isEvery], ["every-said", isEvery], ["limit", isWhole]]) {
                if (part(name)) {
                    part(name).hidden = !isShown;
                }
            }
            for (const box of boxes) {
                box.closest("tr").classList.toggle("po-row-chosen", box.checked);
            }
        }

        function set(isChecked) {
            boxes.forEach((box) => { box.checked = isChecked; });
            field.value = "";
            show();
        }

        form.addEventListener("change", (event) => {
            if (event.target === all) {
                set(all.checked);
            } else if (boxes.includes(event.target)) {
                show();
            }
        });
        part("clear").addEventListener("click", () => {
            set(false);
            all.focus();
        });
        if (part("every")) {
            part("every").addEventListener("click", () => {
                field.value = "1";
                show();
                part("clear").focus();
            });
        }

        // J and K go from row to row, X chooses: by the key's place, so on a Russian layout too.
        document.addEventListener("keydown", (event) => {
            const isTyping = event.target.closest("input:not(.po-check), textarea, select, [contenteditable], #modal-content, #changelist-filter");
            if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !boxes.length) {
                return;
            }
            const at = boxes.indexOf(document.activeElement);
            if (event.code === "KeyJ" || event.code === "KeyK") {
                event.preventDefault();
                const next = event.code === "KeyJ" ? Math.min(at + 1, boxes.length - 1) : Math.max(at - 1, 0);
                boxes[next].focus();
                boxes[next].scrollIntoView({ block: "nearest" });
            } else if (event.code === "KeyX" && at >= 0) {
                event.preventDefault();
                boxes[at].click();
            }
        });

        // A page that the browser kept comes back with the boxes as they were.
        window.addEventListener("pageshow", show);
        show();
    }

    document.addEventListener("DOMContentLoaded", () => {
        document.querySelectorAll("[data-bulk]").forEach(start);
    });
})();
