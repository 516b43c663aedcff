package render

// EncodeAll puts s through every Markdown encoder: in a paragraph, a list, a
// table, a summary, a quotation and a fence.
func EncodeAll(s string) string {
	return plainText(s) + " and " + code(s) + "\n\n" +
		"- " + plainText(s) + " " + code(s) + "\n\n" +
		"| a | b |\n| --- | --- |\n| " + cell(code(s)) + " | " + cell(sentenceOr(s)) + " |\n\n" +
		"> " + sentenceOr(s) + "\n\n" +
		folded("x "+htmlCode(s), fence("text", indented(clean(s, kept))))
}

// PlainText is one encoder alone.
func PlainText(s string) string { return plainText(s) }

// Address is one encoder alone.
func Address(s string) string { return address(s) }
