package cloudformation

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/engine/redact"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ownParameters are those that metapipe sets, with their values.
func ownParameters(job pipeline.Job) map[string]string {
	return map[string]string{"Customer": string(job.Customer.Name), "Environment": string(job.Environment), "SourceRepo": job.Customer.Repository.String()}
}

// isOwn reports whether metapipe sets the parameter.
func isOwn(name string) bool {
	_, own := ownParameters(pipeline.Job{})[name]
	return own
}

// keyOf is how a customer may write the name of a parameter, beside the name itself: vpc_id for VpcId.
func keyOf(parameter string) string {
	var key strings.Builder
	runes := []rune(parameter)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && (!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			key.WriteByte('_')
		}
		key.WriteRune(unicode.ToLower(r))
	}
	return key.String()
}

// keysOf are the names that a customer may write for a parameter.
func keysOf(parameter string) []string { return slices.Compact([]string{parameter, keyOf(parameter)}) }

// plainName is a name without what logical IDs cannot hold, in small letters.
func plainName(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// value is one of a parameter, and where it comes from.
type value struct {
	text   string
	secret bool
	key    string // of variables.yml; empty: none of the customer's
	output string // "stack.output" of a needed stack; empty: none
}

// fillParameters finds the value of each parameter of the template: of metapipe itself, of a needed stack, of the
// customer. A value is text of CloudFormation, and never a dynamic reference.
func (w *workspace) fillParameters() error {
	config, err := w.job.Variables.Effective(w.job.Environment)
	if err != nil {
		return w.failed("read the variables", err)
	}
	w.values = map[string]value{}
	own := ownParameters(w.job)
	var problems []pipeline.Diagnostic
	var waits []pipeline.Diagnostic
	for _, name := range w.template.order {
		p := w.template.parameters[name]
		if text, is := own[name]; is {
			w.values[name] = value{text: text}
			continue
		}
		key, given, twice := w.keyFor(name, config.Values)
		if twice != "" {
			problems = append(problems, w.atKey(key, fmt.Sprintf("%q and %q both set the parameter %s", twice, key, name), "keep one of them"))
			continue
		}
		output, found, wait := w.neededFor(name)
		switch {
		case wait != "":
			waits = append(waits, pipeline.Diagnostic{Warning: true, Where: w.at(p.line), Summary: fmt.Sprintf("the parameter %s depends on %s that is not known yet", name, wait)})
			continue
		case found && given:
			problems = append(problems, w.atKey(key, fmt.Sprintf("%q sets the parameter %s, which holds an output of the stack %s", key, name, output.output), "remove it, or give the key another name"))
			continue
		case found:
			text, err := textOf(p, output.raw)
			if err == nil {
				err = harmless(p, text)
			}
			if err != nil {
				return &pipeline.FailedError{Message: fmt.Sprintf("%s cannot be planned: the output %s cannot become the parameter %s: %v", w.job.Target(), output.output, name, err), Next: pipeline.ProviderNext,
					Operator: "put out another value, or change the type of the parameter in " + w.template.file}
			}
			w.values[name] = value{text: text, secret: output.sensitive || p.noEcho, output: output.output}
			continue
		}
		if of, named := holdsOutput(name, w.neededStacks()); named {
			return &pipeline.FailedError{Message: fmt.Sprintf("%s cannot be planned: the parameter %s is named after the needed stack %s, which has no such output", w.job.Target(), name, of), Next: pipeline.ProviderNext,
				Operator: fmt.Sprintf("let the stack %s put it out, or give the parameter of %s another name: a customer cannot set it", of, w.template.file), Permanent: true}
		}
		if given {
			if d, wrong := w.fillFromCustomer(name, p, key, config.Values[key]); wrong {
				problems = append(problems, d)
			}
		} else if !p.hasDefault {
			problems = append(problems, w.missing(name))
		}
	}
	if err := w.reject(problems); err != nil {
		return err
	}
	return w.deferred(waits)
}

// fillFromCustomer takes a value of variables.yml.
func (w *workspace) fillFromCustomer(name string, p parameter, key string, raw json.RawMessage) (pipeline.Diagnostic, bool) {
	if p.isSSM() {
		return w.atKey(key, fmt.Sprintf("%q sets the parameter %s, whose value is a name in Parameter Store: that is not a customer's to choose", key, name), "remove it"), true
	}
	if slices.ContainsFunc(w.template.chosen, func(c chosen) bool { return c.parameter == name }) {
		return w.atKey(key, fmt.Sprintf("%q sets the parameter %s, from which the template builds a dynamic reference: what that reads is not a customer's to choose", key, name), "remove it"), true
	}
	text, err := textOf(p, raw)
	if err == nil {
		err = harmless(p, text)
	}
	if err == nil && len(p.allowed) > 0 && !p.isList() && !slices.Contains(p.allowed, text) {
		err = fmt.Errorf("it is none of %s", strings.Join(p.allowed, ", "))
		if p.noEcho {
			err = fmt.Errorf("it is none of the allowed values")
		}
	}
	if err != nil {
		return w.atKey(key, fmt.Sprintf("%q cannot become the parameter %s of type %s: %v", key, name, p.kind, err), fmt.Sprintf("correct %q", key)), true
	}
	w.values[name] = value{text: text, secret: p.noEcho, key: key}
	return pipeline.Diagnostic{}, false
}

// keyFor is the key of variables.yml that sets a parameter. twice is another one that does, too.
func (w *workspace) keyFor(name string, values map[string]json.RawMessage) (key string, given bool, twice string) {
	for _, candidate := range keysOf(name) {
		raw, there := values[candidate]
		if !there || candidate == "environments" || string(raw) == "null" {
			continue
		}
		if given {
			return candidate, true, key
		}
		key, given = candidate, true
	}
	return key, given, ""
}

// neededOutput is an output of a needed stack for a parameter.
type neededOutput struct {
	output    string // "stack.output"
	raw       json.RawMessage
	sensitive bool
}

// neededStacks are the stacks whose outputs the target takes.
func (w *workspace) neededStacks() []pipeline.StackName {
	var names []pipeline.StackName
	for _, needed := range w.job.Needed {
		names = append(names, needed.Stack)
	}
	return names
}

// holdsOutput finds the stack after which a parameter is named, or a key of variables.yml for it. Such a parameter
// holds an output of the stack, and is never a customer's.
func holdsOutput(name string, needs []pipeline.StackName) (of pipeline.StackName, named bool) {
	for _, stack := range needs {
		if rest, found := strings.CutPrefix(plainName(name), plainName(string(stack))); found && rest != "" && len(stack) > len(of) {
			of = stack
		}
	}
	return of, of != ""
}

// neededFor is the output of a needed stack that a parameter is named after: NetworkVpcId holds the output
// vpc_id of the stack network. wait says what is not known yet.
func (w *workspace) neededFor(name string) (output neededOutput, found bool, wait string) {
	for _, needed := range w.job.Needed {
		prefix := plainName(string(needed.Stack))
		rest, ok := strings.CutPrefix(plainName(name), prefix)
		if !ok || rest == "" {
			continue
		}
		if needed.Unknown != "" {
			return output, false, "an output of the stack " + string(needed.Stack)
		}
		for _, o := range needed.Values {
			if plainName(o.Name) != rest {
				continue
			}
			if !o.Known() {
				return output, false, fmt.Sprintf("the output %s of the stack %s", redact.Clean(o.Name), needed.Stack)
			}
			return neededOutput{output: string(needed.Stack) + "." + redact.Clean(o.Name), raw: o.Value, sensitive: o.Sensitive}, true, ""
		}
	}
	return output, false, ""
}

// textOf is a value as CloudFormation takes it.
func textOf(p parameter, raw json.RawMessage) (string, error) {
	decoded, err := jsonvalue.Decode(raw)
	if err != nil {
		return "", err
	}
	if list, isList := decoded.([]any); isList {
		if !p.isList() {
			return "", fmt.Errorf("it is a list, and the parameter takes one value")
		}
		var items []string
		for _, item := range list {
			text, err := scalarText(item, p.kind == "List<Number>")
			if err != nil {
				return "", err
			}
			if strings.Contains(text, ",") || strings.TrimSpace(text) != text {
				return "", fmt.Errorf("an item of the list holds a comma, or a space at its ends, which CloudFormation takes for the end of an item")
			}
			items = append(items, text)
		}
		return strings.Join(items, ","), nil
	}
	text, err := scalarText(decoded, p.kind == "Number" || p.kind == "List<Number>")
	if err == nil && p.isList() && strings.Contains(text, ",") {
		return "", fmt.Errorf("it is a text with commas, where a list is expected")
	}
	return text, err
}

func scalarText(v any, number bool) (string, error) {
	var text string
	switch v := v.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = fmt.Sprint(v)
	case nil:
		return "", fmt.Errorf("it is null")
	default:
		return "", fmt.Errorf("it is a list or an object, and CloudFormation takes text, numbers and lists of them")
	}
	if number && !isNumber(text) {
		return "", fmt.Errorf("it is no number")
	}
	if len(text) > maxParameter {
		return "", fmt.Errorf("it has more than %d bytes", maxParameter)
	}
	return text, nil
}

func isNumber(s string) bool {
	var n json.Number
	return json.Unmarshal([]byte(s), &n) == nil && n != ""
}

// harmless refuses what CloudFormation would resolve. It looks for dynamic references when the values of
// parameters stand in their places, and templates join values: so neither a whole reference nor the two
// halves of its beginning get through, whatever stands beside them. Functions of a template take characters out
// of values as well (Fn::Split with Fn::Join): so no resolve follows a brace, whatever stands between its letters
// that is no letter, and what the template splits holds no brace at all.
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/dynamic-references.html
func harmless(p parameter, text string) error {
	if len(text) > maxParameter {
		return fmt.Errorf("it has more than %d bytes", maxParameter)
	}
	items := []string{text}
	if p.isList() {
		items = strings.Split(text, ",")
	}
	if p.split && strings.Contains(text, "{") {
		return fmt.Errorf("CloudFormation could read a dynamic reference in it: it holds {, and the template takes it apart with Fn::Split")
	}
	for _, item := range append(items, text) {
		if mayBeginReference(item) {
			return fmt.Errorf("CloudFormation could read a dynamic reference in it: it holds {{, ends with {, begins with {resolve or a part of it, or holds { and the letters of resolve after it")
		}
	}
	return nil
}

// mayBeginReference reports a text that is, or that could end or begin, the opening of a dynamic reference.
func mayBeginReference(s string) bool {
	const opening = "resolve:"
	plain := strings.ToLower(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, s))
	_, after, _ := strings.Cut(plain, "{")
	letters := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, after)
	rest, brace := strings.CutPrefix(plain, "{")
	return strings.Contains(plain, "{{") || strings.HasSuffix(plain, "{") || strings.Contains(letters, "resolve") ||
		brace && (strings.HasPrefix(rest, opening) || strings.HasPrefix(opening, rest))
}

// atKey is what is wrong with a key of variables.yml.
func (w *workspace) atKey(key, summary, remedy string) pipeline.Diagnostic {
	d := pipeline.Diagnostic{Summary: summary, Remedy: remedy}
	d.Source, d.Exact = w.job.Variables.Locate("environments", string(w.job.Environment), key)
	if !d.Exact {
		d.Source, d.Exact = w.job.Variables.Locate(key)
	}
	d.Remedy = fmt.Sprintf("%s (%s)", remedy, d.Source)
	return d
}

// missing is a parameter that nothing gives a value to.
func (w *workspace) missing(name string) pipeline.Diagnostic {
	key := keyOf(name)
	d := pipeline.Diagnostic{Summary: fmt.Sprintf("the parameter %s has no value", name), Where: w.at(w.template.parameters[name].line)}
	if w.template.parameters[name].isSSM() {
		d.Operator = fmt.Sprintf("give %s a Default in %s: its value is a name in Parameter Store, which no customer chooses", name, w.template.file)
		return d
	}
	d.Source, _ = w.job.Variables.Locate("environments", string(w.job.Environment), key)
	d.Remedy = fmt.Sprintf("add `%s:` at the top level of %s or under `environments.%s`", key, d.Source.File, w.job.Environment)
	return d
}

// reject is the error of values that cannot be used.
func (w *workspace) reject(problems []pipeline.Diagnostic) error {
	if len(problems) == 0 {
		return nil
	}
	for i := range problems {
		w.filter.Diagnostic(&problems[i])
		w.log.Diagnostic(problems[i])
	}
	first := problems[0]
	failed := &pipeline.FailedError{Message: fmt.Sprintf("%s cannot be planned: %s", w.job.Target(), first.Summary), Next: first.Remedy, Operator: first.Operator, Diagnostics: problems, Permanent: true}
	if first.Source.File != "" {
		failed.Message += fmt.Sprintf(" (%s)", first.Source)
	}
	if failed.Next == "" {
		failed.Next = pipeline.ProviderNext
	}
	return failed
}

// deferred says that outputs of other stacks are not known yet. Nothing is planned then: a value in
// their place would be a guess.
func (w *workspace) deferred(waits []pipeline.Diagnostic) error {
	var parts []string
	if len(waits) > 0 {
		parts = append(parts, waits[0].Summary)
	}
	for _, needed := range w.job.Needed {
		if needed.Unknown != "" {
			parts = append(parts, needed.Unknown)
		}
	}
	if len(parts) == 0 {
		return nil
	}
	for _, d := range waits {
		w.log.Diagnostic(d)
	}
	return &pipeline.DeferredError{Message: strings.Join(parts, "; "), Waits: waits}
}

// ofParameter finds the line of variables.yml that an answer of CloudFormation is about: it names the parameter.
func (w *workspace) ofParameter(message string) (pipeline.Diagnostic, bool) {
	if !strings.Contains(strings.ToLower(message), "parameter") {
		return pipeline.Diagnostic{}, false
	}
	for _, name := range slices.Sorted(maps.Keys(w.values)) {
		key := w.values[name].key
		word, err := regexp.Compile(`\b` + regexp.QuoteMeta(name) + `\b`)
		if key == "" || err != nil || !word.MatchString(message) {
			continue
		}
		d := w.atKey(key, message, fmt.Sprintf("correct %q", key))
		d.Where = w.at(w.template.parameters[name].line)
		return d, true
	}
	return pipeline.Diagnostic{Summary: message}, true
}
