// What the reader searches for, in the words that the search understands. It takes a word that
// begins with "-" for one that must not occur; here that is the name of an option. And it finds all
// words that begin as typed; for a rule's id, such as metadata-name, whole words count for more.
const QUERY = 2
const post = Worker.prototype.postMessage

function understood(query) {
  const words = query.replace(/(^|\s)-+(?=\w)/g, "$1")
  const ids = words.match(/(?<!\S)\w+(-\w+)+(?!\S)/g) ?? []
  return [words, ...ids.flatMap((id) => id.split("-").map((part) => `${part}^10`))].join(" ")
}

Worker.prototype.postMessage = function (message, ...rest) {
  if (message?.type === QUERY && typeof message.data === "string")
    message = { ...message, data: understood(message.data) }
  return post.call(this, message, ...rest)
}
