package pulumi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// input is a value that the program gets.
type input struct {
	value any // as JSON decodes it
	// secret marks what of it is secret: true, or an object with the marks of its members.
	secret any
}

// inputs are the values of the program by key: of the provider's settings for the environment,
// of metapipe, of the stacks that this one needs, and of the customer, where the project
// declares the key. The first of these that has the key counts.
func (w *workspace) readInputs() error {
	given, err := w.settings()
	if err != nil {
		return err
	}
	values := map[string]json.RawMessage{inputConfig: w.config.Whole}
	for key, text := range map[string]string{inputCustomer: string(w.job.Customer.Name), inputEnvironment: string(w.job.Environment), inputRepository: w.job.Customer.Repository.String()} {
		if values[key], err = json.Marshal(text); err != nil {
			return w.failed("write the values of the program", err)
		}
	}
	secret := map[string]any{}
	for _, needed := range w.job.Needed {
		outputs, marks := map[string]json.RawMessage{}, map[string]any{}
		for _, o := range needed.Values {
			if o.Known() {
				outputs[o.Name] = o.Value
			}
			if o.Sensitive {
				marks[o.Name] = true
			}
		}
		secret[string(needed.Stack)] = marks
		if values[string(needed.Stack)], err = json.Marshal(outputs); err != nil {
			return w.failed("write the values of the program", err)
		}
	}
	for key, value := range w.config.Values {
		if _, own := values[key]; !own {
			values[key] = value
		}
	}
	w.inputs = given
	for _, key := range w.project.names() {
		d := w.project.inputs[key]
		value, there := values[key]
		if _, set := given[key]; set || !there || !settable(key, d) || !inputName().MatchString(key) {
			continue
		}
		decoded, err := jsonvalue.Decode(value)
		if err != nil {
			return w.failed("read the value of "+key, err)
		}
		if decoded == nil {
			continue // it is not set
		}
		if why := special(decoded); why != "" {
			return w.unusableInput(key, decoded, why, secret[key] != nil)
		}
		if number := inexact(decoded); number != "" {
			return w.unusable(key, fmt.Sprintf("Pulumi cannot hold the number %s exactly", pipeline.Quote(number)), "write the number in quotes, where the provider's project takes a text")
		}
		in := input{value: decoded, secret: secret[key]}
		if d.secret {
			in.secret = true
		}
		w.inputs[key] = in
	}
	return nil
}

// unusableInput is the error of a value with something that Pulumi does not take for data.
func (w *workspace) unusableInput(key string, value any, why string, ofStack bool) error {
	if ofStack {
		return &pipeline.FailedError{Message: fmt.Sprintf("%s cannot be planned: the outputs of %s cannot be used: %s", w.job.Target(), key, why), Next: pipeline.ProviderNext,
			Operator: "give that output, or the key in it, another name or value"}
	}
	if whole, isObject := value.(map[string]any); isObject && key == inputConfig {
		for _, name := range slices.Sorted(maps.Keys(whole)) {
			if special(map[string]any{name: whole[name]}) != "" {
				key = name
				break
			}
		}
	}
	return w.unusable(key, why, "give the key another name, or write another value")
}

// unusable is the error of a value of the customer that cannot be passed on.
func (w *workspace) unusable(key, why, remedy string) error {
	at, exact := w.locate(key)
	d := pipeline.Diagnostic{Summary: fmt.Sprintf("the value of %s cannot be used: %s", key, why), Source: at, Exact: exact, Remedy: remedy}
	return &pipeline.FailedError{Message: fmt.Sprintf("%s cannot be planned: %s (%s)", w.job.Target(), d.Summary, at), Next: d.Remedy, Diagnostics: []pipeline.Diagnostic{d}}
}

// locate finds the line of a key of variables.yml, in the environment first.
func (w *workspace) locate(key string) (pipeline.Position, bool) {
	if at, exact := w.job.Variables.Locate("environments", string(w.job.Environment), key); exact {
		return at, true
	}
	return w.job.Variables.Locate(key)
}

// special says what in a value is no data where Pulumi reads it: an object with "secure" is the
// ciphertext of a secret, "<<" merges objects, an object with the signature is a file, an address
// or a reference, and some texts stand for unknown values. Empty: there is nothing. Pulumi reads
// a text as JSON where the project declares an object.
func special(value any) string {
	if text, isText := value.(string); isText && json.Valid([]byte(text)) {
		if decoded, err := jsonvalue.Decode([]byte(text)); err == nil {
			return specialPart(decoded, markKey)
		}
	}
	return specialPart(value, markKey, "secure", "<<")
}

func specialPart(value any, keys ...string) string {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if slices.Contains(keys, key) {
				return fmt.Sprintf("a key in it is %q, which has a meaning for Pulumi", key)
			}
			if what := specialPart(v[key], keys...); what != "" {
				return what
			}
		}
	case []any:
		for _, item := range v {
			if what := specialPart(item, keys...); what != "" {
				return what
			}
		}
	case string:
		if isUnknown(v) {
			return fmt.Sprintf("a text in it is %q, which stands for an unknown value in Pulumi", v)
		}
	}
	return ""
}

// inexact is a number in a value that would become another one: Pulumi holds numbers as
// floating-point numbers of 64 bits. Empty: there is none.
func inexact(value any) string {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if number := inexact(v[key]); number != "" {
				return number
			}
		}
	case []any:
		for _, item := range v {
			if number := inexact(item); number != "" {
				return number
			}
		}
	case json.Number:
		f, err := v.Float64()
		if err != nil || !jsonvalue.Equal(v, json.Number(strconv.FormatFloat(f, 'g', -1, 64))) {
			return v.String()
		}
	}
	return ""
}

// settings are the values of the provider's own file for the environment, such as those of
// cloud providers. Nothing in it is encrypted: the passphrase of a stack is known to nobody.
func (w *workspace) settings() (map[string]input, error) {
	given := map[string]input{}
	name := settingsFile(w.job.Environment)
	content, err := os.ReadFile(filepath.Join(w.root, name))
	if errors.Is(err, fs.ErrNotExist) {
		return given, nil
	}
	if err != nil {
		return nil, w.failed("read "+w.inRoot(name), err)
	}
	refuse := func(why, next string) error {
		return pipeline.Usagef("%s cannot be used: %s", w.inRoot(name), why).Nextf("%s", next)
	}
	var settings map[string]any
	if err := yaml.Unmarshal(content, &settings); err != nil {
		return nil, refuse(fmt.Sprintf("it is no YAML: %v", err), "correct it")
	}
	for key := range settings {
		if key != settingsKey {
			return nil, refuse(unusedSetting(key), "remove the key")
		}
	}
	raw, err := json.Marshal(settings["config"])
	if err != nil {
		return nil, refuse(fmt.Sprintf("its config is no object with texts as keys: %v", err), "correct it")
	}
	decoded, err := jsonvalue.Decode(raw)
	values, isObject := decoded.(map[string]any)
	if err != nil || !isObject && decoded != nil {
		return nil, refuse("its config is no object", "correct it")
	}
	for key, value := range values {
		if why := special(value); why != "" {
			return nil, refuse(fmt.Sprintf("the value of %s is no plain data: %s", pipeline.Quote(key), why), "remove it; pass a secret in the environment of the job (tool.env), and let the program or the provider read it there")
		}
		given[strings.TrimPrefix(key, w.project.name+":")] = input{value: value}
	}
	return given, nil
}

// sumInputs is the salted digest of all values.
func sumInputs(salt pipeline.Salt, inputs map[string]input) (string, error) {
	plain := map[string]any{}
	for key, in := range inputs {
		plain[key] = in.value
	}
	content, err := json.Marshal(plain)
	return salt.Sum(content), err
}

// configFile is the settings file of the stack for the CLI, with the secrets encrypted.
func configFile(projectName string, inputs map[string]input, c *crypter) ([]byte, error) {
	var out bytes.Buffer
	if hasSecrets(inputs) {
		if _, err := c.key(); err != nil {
			return nil, err
		}
	}
	if c.salt != "" { // else the CLI makes one
		out.WriteString("encryptionsalt: ")
		out.Write(jsonvalue.AppendYAMLString(nil, c.salt))
		out.WriteByte('\n')
	}
	out.WriteString("config: {")
	for i, key := range slices.Sorted(maps.Keys(inputs)) {
		if i > 0 {
			out.WriteByte(',')
		}
		if !strings.Contains(key, ":") {
			out.Write(jsonvalue.AppendYAMLString(nil, projectName+":"+key))
		} else {
			out.Write(jsonvalue.AppendYAMLString(nil, key))
		}
		out.WriteString(": ")
		c.writeYAML(&out, inputs[key].value, inputs[key].secret)
	}
	out.WriteString("}\n")
	return out.Bytes(), nil
}

// hasSecrets reports whether a value has a mark.
func hasSecrets(inputs map[string]input) bool {
	for _, in := range inputs {
		if in.secret != nil {
			return true
		}
	}
	return false
}

// plainText is how Pulumi keeps a value that is one text.
func plainText(value any) string {
	if text, isText := value.(string); isText {
		return text
	}
	return jsonvalue.Text(value, nil)
}

// writeYAML writes a value. What is secret is encrypted leaf by leaf: Pulumi knows no other
// secrets in an object.
func (c *crypter) writeYAML(out *bytes.Buffer, value, secret any) {
	switch v := value.(type) {
	case map[string]any:
		out.WriteByte('{')
		for i, key := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				out.WriteByte(',')
			}
			out.Write(jsonvalue.AppendYAMLKey(nil, key))
			mark := secret
			if marks, nested := secret.(map[string]any); nested {
				mark = marks[key]
			}
			c.writeYAML(out, v[key], mark)
		}
		out.WriteByte('}')
		return
	case []any:
		out.WriteByte('[')
		for i, item := range v {
			if i > 0 {
				out.WriteByte(',')
			}
			c.writeYAML(out, item, secret)
		}
		out.WriteByte(']')
		return
	}
	if secret == true {
		out.WriteString("{secure: ")
		out.Write(jsonvalue.AppendYAMLString(nil, c.seal(plainText(value))))
		out.WriteByte('}')
		return
	}
	switch v := value.(type) {
	case string:
		out.Write(jsonvalue.AppendYAMLString(nil, v))
	case json.Number:
		out.WriteString(v.String())
	case bool:
		fmt.Fprint(out, v)
	default:
		out.WriteString("null")
	}
}
