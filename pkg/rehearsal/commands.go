package rehearsal

import (
	"strings"
)

// command is one workflow command that a step wrote into its log:
// `::name key=value,key=value::message`.
type command struct {
	name       string
	properties map[string]string
	message    string
}

// parseCommand reads a line of a log as the runner does: blanks before the
// colons are allowed, %0A and its kin are decoded.
func parseCommand(line string) (command, bool) {
	rest, ok := strings.CutPrefix(strings.TrimLeft(line, " \t"), "::")
	if !ok {
		return command{}, false
	}
	head, message, ok := strings.Cut(rest, "::")
	if !ok || head == "" {
		return command{}, false
	}
	name, list, _ := strings.Cut(head, " ")
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != "" {
		return command{}, false
	}
	c := command{name: strings.ToLower(name), properties: map[string]string{}, message: decodeMessage.Replace(message)}
	for pair := range strings.SplitSeq(list, ",") {
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok {
			c.properties[key] = decodeProperty.Replace(value)
		}
	}
	return c, true
}

var (
	decodeMessage  = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%25", "%")
	decodeProperty = strings.NewReplacer("%0D", "\r", "%0A", "\n", "%3A", ":", "%2C", ",", "%25", "%")
)

// annotation is an error, a warning or a notice with its place.
type annotation struct {
	level   string // error, warning, notice
	file    string
	line    string
	title   string
	message string
}

func (a annotation) String() string {
	var b strings.Builder
	b.WriteString(a.level + ": ")
	if a.file != "" {
		b.WriteString(a.file)
		if a.line != "" {
			b.WriteString(":" + a.line)
		}
		b.WriteString(": ")
	}
	if a.title != "" {
		b.WriteString(a.title + ": ")
	}
	return b.String() + a.message
}

// interpreter follows the workflow commands in the log of one step and turns
// its lines into what a reader of the log sees.
type interpreter struct {
	masks *masks
	// stopped is the token that ends `::stop-commands::`; until then nothing is a
	// command.
	stopped     string
	annotations []annotation
}

// shown is a line of a log, masked.
type shown struct {
	kind lineKind
	text string
}

type lineKind int

const (
	lineHidden lineKind = iota
	lineText
	lineGroup    // the title of a group that begins
	lineGroupEnd // no text
	lineAnnotation
)

// read takes one line as the step wrote it.
func (i *interpreter) read(line string) shown {
	line = strings.TrimSuffix(line, "\r")
	c, ok := parseCommand(line)
	if i.stopped != "" {
		if ok && strings.EqualFold(c.name, i.stopped) {
			i.stopped = ""
			return shown{}
		}
		ok = false
	}
	if !ok {
		return shown{lineText, i.masks.hide(line)}
	}
	switch c.name {
	case "add-mask":
		i.masks.add(c.message)
		return shown{}
	case "stop-commands":
		i.stopped = strings.TrimSpace(c.message)
		return shown{}
	case "debug", "echo", "save-state", "set-output", "set-env", "add-path", "add-matcher", "remove-matcher":
		return shown{} // not shown, or switched off by GitHub long ago
	case "group":
		return shown{lineGroup, i.masks.hide(c.message)}
	case "endgroup":
		return shown{kind: lineGroupEnd}
	case "error", "warning", "notice":
		a := annotation{level: c.name, file: i.masks.hide(c.properties["file"]), line: c.properties["line"], title: i.masks.hide(c.properties["title"]), message: i.masks.hide(c.message)}
		i.annotations = append(i.annotations, a)
		return shown{lineAnnotation, a.String()}
	}
	return shown{lineText, i.masks.hide(line)}
}
