// What a button did, or why it was refused, is told in the answer. The page
// drops it, so it is shown here.
(() => {
  const open = XMLHttpRequest.prototype.open
  XMLHttpRequest.prototype.open = function (method, ...rest) {
    // Added before the page adds its own: it runs first.
    this.addEventListener("readystatechange", () => {
      if (this.readyState === XMLHttpRequest.DONE) told(this, method.toUpperCase() !== "GET")
    })
    return open.call(this, method, ...rest)
  }

  function told(request, pressed) {
    const answer = parsed(request.responseText)
    if (request.status >= 400 && typeof answer.error === "string") {
      // The page shows an error's text as it is, so it gets the sentence.
      Object.defineProperty(request, "responseText", {value: answer.error})
      if (pressed) show(answer.error, "alert")
    } else if (pressed && answer.message) {
      show(answer.message, "status")
    }
  }

  function parsed(text) {
    try { return JSON.parse(text) ?? {} } catch { return {} }
  }

  function show(sentence, role) {
    document.getElementById("fanfare-answer")?.remove()
    const box = document.createElement("div")
    box.id = "fanfare-answer"
    box.setAttribute("role", role)
    box.textContent = sentence
    box.title = "Click to close"
    Object.assign(box.style, {
      position: "fixed", right: "24px", bottom: "24px", zIndex: 2000, maxWidth: "min(480px, calc(100vw - 48px))",
      padding: "14px 18px", borderRadius: "4px", cursor: "pointer", boxShadow: "0 3px 12px rgba(0, 0, 0, .4)",
      font: "14px/1.45 Helvetica, Arial, sans-serif", overflowWrap: "anywhere",
      color: "#fff", background: role === "alert" ? "#a3231b" : "#1d6b36",
    })
    box.addEventListener("click", () => box.remove())
    if (role === "status") setTimeout(() => box.remove(), 10000)
    document.body.append(box)
  }
})()
