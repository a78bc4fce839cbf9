// Passkeys: a form with options asks the browser for one, and sends what it answers.
(() => {
    "use strict";

    const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (sign) => sign.charCodeAt(0));
    const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
        .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    const described = (list) => (list || []).map((each) => ({ ...each, id: bytes(each.id) }));

    const make = async (options) => {
        const made = await navigator.credentials.create({
            publicKey: {
                ...options,
                challenge: bytes(options.challenge),
                user: { ...options.user, id: bytes(options.user.id) },
                excludeCredentials: described(options.excludeCredentials),
            },
        });
        return {
            id: made.id, rawId: text(made.rawId), type: made.type,
            response: {
                clientDataJSON: text(made.response.clientDataJSON),
                attestationObject: text(made.response.attestationObject),
            },
        };
    };
    const use = async (options) => {
        const used = await navigator.credentials.get({
            publicKey: {
                ...options,
                challenge: bytes(options.challenge),
                allowCredentials: described(options.allowCredentials),
            },
        });
        return {
            id: used.id, rawId: text(used.rawId), type: used.type,
            response: {
                clientDataJSON: text(used.response.clientDataJSON),
                authenticatorData: text(used.response.authenticatorData),
                signature: text(used.response.signature),
                userHandle: used.response.userHandle ? text(used.response.userHandle) : null,
            },
        };
    };

    document.querySelectorAll("form[data-passkey]").forEach((form) => {
        const said = form.querySelector("[data-passkey-said]");
        const button = form.querySelector("button[type=submit]");
        if (!window.PublicKeyCredential) {
            said.textContent = form.dataset.unsupported;
            return;
        }
        form.addEventListener("submit", async (event) => {
            event.preventDefault();
            button.disabled = true;
            said.textContent = form.dataset.waiting;
            try {
                const options = JSON.parse(form.dataset.passkey);
                const answer = form.dataset.ceremony === "make" ? await make(options) : await use(options);
                form.elements.credential.value = JSON.stringify(answer);
                form.submit();
            } catch (error) {
                said.textContent = form.dataset.failed;
                button.disabled = false;
            }
        });
        button.disabled = false;
    });
})();
