package runner

import (
	"fmt"
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

// Annotation is an error, a warning or a notice with its place.
type Annotation struct {
	Level   string // error, warning, notice
	File    string
	Line    string
	Title   string
	Message string
}

func (a Annotation) String() string {
	var b strings.Builder
	b.WriteString(a.Level + ": ")
	if a.File != "" {
		b.WriteString(a.File)
		if a.Line != "" {
			b.WriteString(":" + a.Line)
		}
		b.WriteString(": ")
	}
	if a.Title != "" {
		b.WriteString(a.Title + ": ")
	}
	return b.String() + a.Message
}

// interpreter follows the workflow commands in the log of one step and turns
// its lines into what a reader of the log sees.
type interpreter struct {
	masks *Masks
	// stopped is the token that ends `::stop-commands::`; until then nothing is a
	// command.
	stopped     string
	annotations []Annotation
	outputs     map[string]string // of set-output, which is deprecated and works
	forbidden   string            // a command that fails the step
}

// Shown is a line of a log, masked.
type Shown struct {
	Kind LineKind
	Text string
}

// LineKind is what a line of a log is.
type LineKind int

// The kinds of lines.
const (
	LineHidden LineKind = iota
	LineText
	LineGroup    // the title of a group that begins
	LineGroupEnd // no text
	LineAnnotation
)

// read takes one line as the step wrote it.
func (i *interpreter) read(line string) Shown {
	line = strings.TrimSuffix(line, "\r")
	c, ok := parseCommand(line)
	if i.stopped != "" {
		if ok && strings.EqualFold(c.name, i.stopped) {
			i.stopped = ""
			return Shown{}
		}
		ok = false
	}
	if !ok {
		return Shown{LineText, i.masks.Hide(line)}
	}
	switch c.name {
	case "add-mask":
		i.masks.Add(c.message)
		return Shown{}
	case "stop-commands":
		i.stopped = strings.TrimSpace(c.message)
		return Shown{}
	case "set-env", "add-path": // the runner of GitHub fails the step
		i.forbidden = c.name
		return Shown{LineText, fmt.Sprintf("The command %s is switched off by GitHub: write to the file GITHUB_ENV or GITHUB_PATH", c.name)}
	case "set-output":
		if name := c.properties["name"]; name != "" {
			if i.outputs == nil {
				i.outputs = map[string]string{}
			}
			i.outputs[name] = c.message
		}
		return Shown{}
	case "debug", "echo", "save-state", "add-matcher", "remove-matcher":
		return Shown{}
	case "group":
		return Shown{LineGroup, i.masks.Hide(c.message)}
	case "endgroup":
		return Shown{Kind: LineGroupEnd}
	case "error", "warning", "notice":
		a := Annotation{Level: c.name, File: i.masks.Hide(c.properties["file"]), Line: c.properties["line"], Title: i.masks.Hide(c.properties["title"]), Message: i.masks.Hide(c.message)}
		i.annotations = append(i.annotations, a)
		return Shown{LineAnnotation, a.String()}
	}
	return Shown{LineText, i.masks.Hide(line)}
}
