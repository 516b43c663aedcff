package pulumi

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/engine/enginetest"
	"github.com/metapipe/metapipe/pkg/engine/terraform/terraformtest"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// hostile are values that would do something if anything but a text were read from them.
var hostile = []string{
	"${pulumi.cwd}", "${token}", "$${x}", "fn::readFile: /etc/passwd", `{"fn::readFile": "/etc/passwd"}`, `{"fn::secret": "x"}`, "{secure: v1:AAAA:BBBB}", "${web.page}",
	"!!binary aGk=", "*alias", "&anchor x", "a: b\nc: d", "- item", "--stack=other", "-C /", "$(touch SCRATCH/pwned)", "`touch SCRATCH/pwned`", "'; touch SCRATCH/pwned; '",
	"{{ config }}", "%s%n", "\u2028line\u2029", "\ufeffbom", "tab\there", "quote\"back\\slash", "😀 \\U0001F600", "null", "true", "0x10", "1e400", "~", "[secret]",
	markSecret, "urn:pulumi:x::y::z::w", "../../../etc/passwd",
}

const echoProgram = head + `config:
  values: {type: array, items: {type: string}}
  nested: {type: object}
resources:
  page:
    type: metapipetest:index:File
    properties: {path: SCRATCH/page, content: {"fn::toJSON": {values: "${values}", nested: "${nested}"}}}
`

// TestValuesAreData: whatever a customer writes reaches the program as it is, and does nothing.
func TestValuesAreData(t *testing.T) {
	t.Parallel()
	values := map[string]any{"values": hostile, "nested": map[string]any{"a ${b}": hostile, "fn::readFile": "/etc/passwd", "fn::invoke": map[string]any{"function": "x"}, "4dab": markKey}}
	document, err := json.Marshal(map[string]any{"values": values["values"], "nested": values["nested"], "environments": map[string]any{"staging": map[string]any{}}})
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, echoProgram, string(document))
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err == nil {
		_, err = b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, b.Job.Log)
	}
	content, err := os.ReadFile(filepath.Join(b.scratch, "page"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	first, _, _ := strings.Cut(string(content), "\n")
	if err := json.Unmarshal([]byte(first), &got); err != nil {
		t.Fatal(err)
	}
	want, _ := json.Marshal(values)
	if have, _ := json.Marshal(got); string(have) != string(want) {
		t.Errorf("the program got\n%s\nwant\n%s", have, want)
	}
	if files, err := filepath.Glob(filepath.Join(b.scratch, "pwned*")); err != nil || len(files) > 0 {
		t.Errorf("a value was run: %v %v", files, err)
	}
}

// TestKeysOfCustomers: a customer sets no setting of a provider, nothing that metapipe sets, and
// nothing that the project does not declare.
func TestKeysOfCustomers(t *testing.T) {
	t.Parallel()
	const project = head + `config:
  customer: {type: string}
  environment: {type: string}
  region: {type: string, default: none}
  aws:region: {value: eu-central-1}
  fixed: {value: mine}
  plain: mine
resources:
  page:
    type: metapipetest:index:File
    properties: {path: SCRATCH/page, content: "${customer} ${environment} ${region} ${fixed} ${plain}"}
`
	const variables = `customer: evil
environment: evil
"aws:region": evil
"aws:config:region": evil
"web:region": evil
"region:x": evil
"pulumi:disable-default-providers": ["*"]
fixed: evil
plain: evil
encryptionsalt: evil
environments:
  staging: {}
`
	b := newBench(t, project, variables)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err == nil {
		_, err = b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, b.Job.Log)
	}
	content, err := os.ReadFile(filepath.Join(b.scratch, "page"))
	if err != nil || !strings.HasPrefix(string(content), "acme staging none mine mine\n") {
		t.Errorf("the program got %q: %v", content, err)
	}
	if settings, err := os.ReadFile(planned.Artifacts[artifactSettings]); err != nil || strings.Contains(string(settings), "evil") {
		t.Errorf("the settings hold what no one declared: %s %v", settings, err)
	}
}

// TestObjectsLikeSecrets: what Pulumi would take for the ciphertext of a secret is refused.
func TestObjectsLikeSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t, echoProgram, "values: []\nnested:\n  deep:\n    - secure: v1:AAAA:BBBB\nenvironments:\n  staging: {}\n")
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || len(planned.Plan.Diagnostics) != 1 || planned.Plan.Diagnostics[0].Source.Line != 2 {
		t.Errorf("planned %+v: %v", planned.Plan.Diagnostics, err)
	}
	if commands, _ := b.Calls(t); len(commands) > 0 {
		t.Errorf("it ran %q", commands)
	}
	b = newBench(t, echoProgram, "values: []\nnested: {\"<<\": {a: 1}}\nenvironments:\n  staging: {}\n")
	if _, err := b.Engine.Plan(t.Context(), b.Job); !errors.As(err, &failed) || !strings.Contains(failed.Message, "<<") {
		t.Errorf("a key that merges: %v", err)
	}
	b = newBench(t, strings.Replace(echoProgram, "nested:", "net:", 1), "values: []\nenvironments:\n  staging: {}\n")
	b.Job.Needed = []pipeline.NeededOutputs{{Stack: "net", Values: []pipeline.OutputValue{{Name: "secure", Value: json.RawMessage(`"v1:A:B"`)}}}}
	if _, err := b.Engine.Plan(t.Context(), b.Job); !errors.As(err, &failed) || !strings.Contains(failed.Message, "outputs of net") {
		t.Errorf("an output with that name: %v", err)
	}
}

// TestValuesOfPulumi: what Pulumi would take for a file, an address, a reference or an unknown
// value is refused with its line before anything runs, also in a text that is read as JSON.
func TestValuesOfPulumi(t *testing.T) {
	t.Parallel()
	const program = head + "config:\n  nested: {type: object}\noutputs:\n  nested: ${nested}\n"
	const asset = `{"4dabf18193072939515e22adb298388d": "c44067f5952c0a294b673a41bacd8c17", "path": "/etc/hostname"}`
	values := map[string]string{"a file": asset, "deep": `{"a": [{"b": ` + asset + `}]}`, "a reference": `{"4dabf18193072939515e22adb298388d": "x"}`,
		"JSON": strconv.Quote(asset), "JSON with another spelling": strconv.Quote(strings.Replace(asset, "4", `\u0034`, 1))}
	for _, text := range []string{"04da6b54-80e4-46f7-96ec-b56ff0331ba9", "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7", "3eeb2bf0-c639-47a8-9e75-3b44932eb421", "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
		"030794c1-ac77-496b-92df-f27374a8bd58", "e48ece36-62e2-4504-bad9-02848725956a", "dd056dcd-154b-4c76-9bd3-c8f88648b5ff"} {
		values["unknown "+text], values["unknown in JSON "+text] = strconv.Quote(text), strconv.Quote(`["`+text+`"]`)
	}
	for name, value := range values {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, project := range []string{program, strings.ReplaceAll(program, "nested", "config")} {
				if project != program && strings.Contains(name, "JSON") {
					continue // config is an object, in which texts stay texts
				}
				b := newBench(t, project, "other: 1\nnested: "+value+"\nenvironments:\n  staging: {}\n")
				planned, err := b.Engine.Plan(t.Context(), b.Job)
				var failed *pipeline.FailedError
				if !errors.As(err, &failed) || len(planned.Plan.Diagnostics) != 1 || planned.Plan.Diagnostics[0].Source.Line != 2 {
					t.Errorf("planned %+v: %v", planned.Plan.Diagnostics, err)
				}
				if commands, _ := b.Calls(t); len(commands) > 0 {
					t.Errorf("it ran %q", commands)
				}
			}
			b := newBench(t, strings.ReplaceAll(program, "nested", "net"), "environments:\n  staging: {}\n")
			b.Job.Needed = []pipeline.NeededOutputs{{Stack: "net", Values: []pipeline.OutputValue{{Name: "x", Value: json.RawMessage(value)}}}}
			var failed *pipeline.FailedError
			if _, err := b.Engine.Plan(t.Context(), b.Job); !strings.Contains(name, "JSON") && (!errors.As(err, &failed) || !strings.Contains(failed.Message, "outputs of net")) {
				t.Errorf("an output: %v", err)
			}
		})
	}
}

// TestNumbers: a number that Pulumi would change is refused, and no other one.
func TestNumbers(t *testing.T) {
	t.Parallel()
	for number, exact := range map[string]bool{"0": true, "-1.5": true, "0.1": true, "1e3": true, "9007199254740992": true, "9007199254740993": false, "12345678901234567890": false, "1e400": false,
		"1e-400": false, "0.1000000000000000055511151231257827": false} {
		if got := inexact([]any{map[string]any{"a": json.Number(number)}}); (got == "") != exact {
			t.Errorf("%s is exact: %v", number, got == "")
		}
	}
}

// TestPassphraseIsNowhere: neither the passphrase nor a secret is in a file that outlasts the
// tool, in the arguments of a process or in the log, and no setting of the machine counts.
func TestPassphraseIsNowhere(t *testing.T) {
	t.Parallel()
	b := newBench(t, secretProgram, secretVariables)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned)); err != nil {
		t.Fatal(err)
	}
	recorder := filepath.Dir(b.Engine.(*Engine).options.BinaryPath)
	calls, err := os.ReadFile(filepath.Join(recorder, "calls"))
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{"the arguments": string(calls), "the log": b.Job.Log.(*terraformtest.LogBuffer).String()}
	for _, dir := range []string{b.Job.Dir, filepath.Dir(b.Job.Backend.Path())} {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			content, err := os.ReadFile(path)
			texts[path] = string(content)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for where, text := range texts {
		for _, secret := range []string{"passphrase-of-the-tests", "open-sesame-1"} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %s", where, secret)
			}
		}
	}
	environ, err := os.ReadFile(filepath.Join(recorder, "environ"))
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"ghs_token", "pul-token", "file:///nowhere"} {
		if strings.Contains(string(environ), gone) {
			t.Errorf("the tool sees %s", gone)
		}
	}
}

// TestProgramThatPrintsSecrets: a program logs a secret, and puts it into the name of a resource
// and into an error; an apply shows nothing of it.
func TestProgramThatPrintsSecrets(t *testing.T) {
	t.Parallel()
	b := newBench(t, head+`config:
  token: {type: string, secret: true}
resources:
  page:
    type: metapipetest:index:File
    properties: {path: "SCRATCH/../${token}"}
`, secretVariables)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	var failed *pipeline.FailedError
	if !errors.As(err, &failed) || !strings.Contains(failed.Message, "leads out of its directory") {
		t.Errorf("planned %+v: %v", planned.Plan.Diagnostics, err)
	}
	shown, _ := json.Marshal(planned.Plan)
	for where, text := range map[string]string{"the error": failed.Error(), "the plan": string(shown), "the log": b.Job.Log.(*terraformtest.LogBuffer).String()} {
		if strings.Contains(text, "open-sesame") || strings.Contains(text, "\x1b[") {
			t.Errorf("%s holds the secret: %s", where, text)
		}
		if strings.Contains(text, b.Job.Dir) {
			t.Errorf("%s holds a path of this machine: %s", where, text)
		}
	}
}

// TestForeignBackend: a project chooses no backend, and the settings of the machine none.
func TestForeignBackend(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	b := newBench(t, strings.Replace(demoProgram, "runtime: yaml\n", "runtime: yaml\nbackend: {url: \"file://"+elsewhere+"\"}\n", 1), terraformtest.DefaultVariables)
	planned, err := b.Engine.Plan(t.Context(), b.Job)
	if err == nil {
		_, err = b.Engine.Apply(t.Context(), b.Job, enginetest.Stored(t, planned))
	}
	if entries, readErr := os.ReadDir(elsewhere); err != nil || readErr != nil || len(entries) > 0 || b.State(t) == "" {
		t.Errorf("the state went to %v: %v %v", entries, err, readErr)
	}
}
