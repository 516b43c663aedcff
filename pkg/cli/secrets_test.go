package cli

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSecretsOf(t *testing.T) {
	t.Parallel()
	const account = `{"type":"service_account","project_id":"acme-production-1","private_key_id":"0f1e2d3c4b5a","private_key":"-----BEGIN KEY-----\nline-1-of-it\n"}`
	for _, tc := range []struct {
		name, value string
		listed      bool
		want        []string
	}{
		{"GITHUB_TOKEN", "abc", false, []string{"abc"}},
		{"METAPIPE_KEY", "key-one-1-of-three,key-two-2-of-three\nkey-three-3-of-three", false, []string{"key-one-1-of-three,key-two-2-of-three\nkey-three-3-of-three", "key-one-1-of-three", "key-two-2-of-three", "key-three-3-of-three"}},
		{"METAPIPE_KEY", "not base64!!", false, []string{"not base64!!"}}, // "not" is a word of our own message
		{"SOME_APP_PRIVATE_KEY", "-----BEGIN-----\nx", false, []string{"-----BEGIN-----\nx"}},
		{"TEAM_PAT", "0123456789", false, []string{"0123456789"}},
		{"AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI", false, []string{"wJalrXUtnFEMI"}},
		{"AWS_ACCESS_KEY_ID", "AKIA0123456789", false, nil},
		{"AWS_WEB_IDENTITY_TOKEN_FILE", "/run/secrets/token-1", false, nil},
		{"ACTIONS_ID_TOKEN_REQUEST_TOKEN", "eyJ0.eyJ1.c2ln", false, []string{"eyJ0.eyJ1.c2ln"}},
		{"ACTIONS_ID_TOKEN_REQUEST_URL", "https://runner.example/1?x=2", false, nil},
		{"CACHE_KEY", "linux-go-1.26-abc", false, nil},
		{"DB_PASSWORD", "changeme", false, nil}, // a word: everybody guesses it, and it would blot the log
		{"DB_PASSWORD", "Ch4ngeMe!", false, []string{"Ch4ngeMe!"}},
		{"DATADOG_THING", "0123456789", true, []string{"0123456789"}},
		{"DATADOG_THING", "staging", true, nil},
		{"METAPIPE_KEY", "key-one-1-of-two\tkey-two-2-of-two", false, []string{"key-one-1-of-two\tkey-two-2-of-two", "key-one-1-of-two", "key-two-2-of-two"}},
		{"DB_PASSWORD", "correct-horse-battery", true, []string{"correct-horse-battery"}}, // declared: whatever it looks like
		{"DB_PASSWORD", "hunter2", true, []string{"hunter2"}},
		{"db_password", "word", true, []string{"word"}},
		{"TF_VAR_password_length", "1234", true, nil},
		{"USE_TOKEN_CACHE", "true", true, nil},
		{"DB_PASS", "hunter2", true, []string{"hunter2"}},
		{"DBPASS", "hunter2", true, []string{"hunter2"}},
		{"REDIS_AUTH", "correct-horse", true, []string{"correct-horse"}},
		{"SUDO_PIN", "4711", true, []string{"4711"}},
		{"VAULT_SECRET_ID", "9b1c6a0e-0000", true, []string{"9b1c6a0e-0000"}},
		{"SLACK_WEBHOOK_URL", "https://hooks.example/services/T0/B0", true, []string{"https://hooks.example/services/T0/B0"}},
		{"DB_PASSWORD_ROTATION", "hunter2", true, []string{"hunter2"}},
		{"DB_PASSWORD_ROTATION", "30", true, nil},
		{"AUTHOR", "robin-the-first", true, nil},
		{"PWD", "/home/robin/infra-manager", false, nil}, // the working directory is in most of what we print
		{"OLDPWD", "/home/robin/infra-manager", false, nil},
		{"DB_PWD", "/home/robin/infra-manager", false, []string{"/home/robin/infra-manager"}},
		{"SSH_AUTH_SOCK", "/tmp/ssh-0a1b2c/agent.42", false, nil},
		{"GIT_ASKPASS", "/usr/lib/git-core/git-askpass", false, nil},
		{"DATABASE_URL", "postgres://h/db?user=u&password=hun%74er2", false, []string{"hun%74er2", "hunter2"}},
		{"DB_SETTINGS", `{"db":{"adminPassword":"hunter2","host":"db.example"},"keys":[{"client-secret":"s3cr"}]}`, false, []string{"hunter2", "s3cr"}},
		{"CONNECTION_STRING", "Server=h;Password=hunter2;User Id=robin;", false, []string{"hunter2"}},
		{"MYSQL", "robin:hunter2@tcp(h)/db", false, []string{"hunter2"}},
		{"HTTPS_PROXY", "http://robin:p4ss@proxy.example:8080", false, []string{"p4ss"}},
		{"DATABASE_URL", "postgres://robin:p%40ss$w@db.example/x@y", false, []string{"p%40ss$w", "p@ss$w"}},
		{"DATABASE_URL", "postgres://robin:p%zz1/2#3@db.example", false, []string{"p%zz1/2#3"}},
		{"SOME_URL", "https://db.example:8080/x", false, nil},
		{"SOME_URL", "https://robin@db.example/x", false, nil},
		{"GOOGLE_CREDENTIALS", account, false, []string{account, "-----BEGIN KEY-----\nline-1-of-it\n"}},
		{"PATH", "/usr/bin:/bin", false, nil},
	} {
		if diff := cmp.Diff(tc.want, secretsOf(tc.name, tc.value, tc.listed)); diff != "" {
			t.Errorf("%s=%s (-want +got):\n%s", tc.name, tc.value, diff)
		}
	}
}

// TestShortSecretsAreRefused: what would be found everywhere cannot be hidden, and
// silence would show it.
func TestShortSecretsAreRefused(t *testing.T) {
	t.Parallel()
	listed := passedSecrets([]string{"DB_*", "LOG_LEVEL"})
	for pair, refused := range map[string]bool{
		"DB_PASSWORD=abc": true, "DB_PASSWORD=abcd": false, "DB_PASSWORD=": false, "DB_PASSWORD= ab ": true, "LOG_LEVEL=err": false, "DB_PASSWORD_LENGTH=16": false,
		"OTHER_PASSWORD=abc": false, "DB_TOKEN_CACHE=1": false, "GITHUB_TOKEN=abc": true, "SOURCE_REPOS_PAT=x": true,
	} {
		app := App{Environ: []string{"PATH=/bin", pair}}
		if err := app.tooShortToMask(listed); (err != nil) != refused {
			t.Errorf("%s: %v", pair, err)
		}
	}
}

func TestPassedSecrets(t *testing.T) {
	t.Parallel()
	listed := passedSecrets([]string{"DATADOG_*", "VAULT_ADDR", "PLAIN"})
	var got []string
	for _, name := range []string{"DATADOG_X", "DATADOG_HOST", "VAULT_ADDR", "PLAIN", "OTHER"} {
		if listed(name) {
			got = append(got, name)
		}
	}
	if want := []string{"DATADOG_X", "PLAIN"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func testApp(out, complaints io.Writer, environ ...string) App {
	return App{Out: out, Err: complaints, Now: time.Now, Environ: append([]string{"GITHUB_ACTIONS=true", "GITHUB_REPOSITORY=provider/infra", "GITHUB_REPOSITORY_ID=1", "GITHUB_RUN_ID=2",
		"GITHUB_RUN_ATTEMPT=1", "GITHUB_SHA=" + strings.Repeat("a", 40), "GITHUB_REF=refs/heads/main", "GITHUB_EVENT_NAME=push", "GITHUB_ACTOR=robin", "GITHUB_JOB=plan"}, environ...)}
}

// TestPrintedSecretsAreMasked lets errors quote a secret, in clear and encoded,
// before a command has begun and without any runner.
func TestPrintedSecretsAreMasked(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t/of+the=manager"
	for name, quoted := range map[string]string{"clear": secret, "base64": base64.StdEncoding.EncodeToString([]byte("u:" + secret)), "end": "x" + secret} {
		for _, environ := range [][]string{nil, {"GITHUB_ACTIONS=false"}, {"GITHUB_RUN_ID=none"}} {
			var out, complaints bytes.Buffer
			code := Main(t.Context(), []string{quoted}, testApp(&out, &complaints, append(environ, "SOURCE_REPOS_PAT="+secret)...))
			shown := strings.ReplaceAll(out.String(), "::add-mask::", "\n::add-mask::")
			for line := range strings.Lines(shown) {
				if !strings.HasPrefix(line, "::add-mask::") && strings.Contains(line, "s3cr3t") {
					t.Errorf("%s: printed %q", name, line)
				}
			}
			if code != ExitUsage || !strings.Contains(complaints.String(), "***") || strings.Contains(complaints.String(), "s3cr3t") || strings.Contains(complaints.String(), "czNjcjN0") {
				t.Errorf("%s %v: code %d: %s", name, environ, code, &complaints)
			}
		}
	}
}

// TestToolSecretsAreMasked: what metapipe.yml passes to the tool is a secret.
func TestToolSecretsAreMasked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	files := map[string]string{"metapipe.yml": "environments: [{name: staging}]\ntool: {env: [DATADOG_*]}\n", "terraform/main.tf": ""}
	for name, content := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out, complaints bytes.Buffer
	app := testApp(&out, &complaints, "GITHUB_EVENT_NAME=schedule", "DATADOG_THING=4711-4712-4713", "DATADOG_HOST=host-4714-4715")
	app.Dir = dir
	Main(t.Context(), []string{"state", "list"}, app)
	if got := out.String(); strings.Count(got, "::add-mask::4711-4712-4713\n") != 1 || strings.Contains(got, "4714") {
		t.Errorf("printed:\n%s\n%s", got, &complaints)
	}
}

// TestProgressIsLive: a line is passed on when it is written, and what was held
// back comes at the end.
func TestProgressIsLive(t *testing.T) {
	t.Parallel()
	var out, complaints bytes.Buffer
	app := testApp(&out, &complaints, "SOURCE_REPOS_PAT=eleven-1-secret")
	app.commands = app.Out
	if _, err := app.newStep(); err != nil {
		t.Fatal(err)
	}
	for i, line := range []string{"one\n", "two\n", "::error::three\n", "a secret: eleven-1-secret\n"} {
		if _, err := io.WriteString(app.Err, line); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(complaints.String(), "\n"); got != i+1 {
			t.Fatalf("after %q %d lines are there: %q", line, got, &complaints)
		}
	}
	fmt.Fprint(app.Err, "elev")
	app.flush()
	if want := "one\ntwo\n: :error::three\na secret: ***\nelev"; complaints.String() != want {
		t.Errorf("got %q", &complaints)
	}
}

// TestSecretsMeet: tokens come while others print and tools begin.
func TestSecretsMeet(t *testing.T) {
	t.Parallel()
	var out, complaints bytes.Buffer
	app := testApp(&out, &complaints, "SOURCE_REPOS_PAT=eleven-1-secret")
	app.commands = app.Out
	s, err := app.newStep()
	if err != nil {
		t.Fatal(err)
	}
	known := s.engineOptions().secrets // asked for before the tokens are made
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			token := fmt.Sprintf("minted-token-%d", i)
			if err := masksOf(s).add(token); err != nil {
				t.Error(err)
			}
			fmt.Fprintf(app.Err, "the server says %s\n", token)
			if !slices.Contains(known(), token) {
				t.Errorf("the engine does not know %s", token)
			}
		})
	}
	all.Wait()
	app.flush()
	if strings.Contains(complaints.String(), "minted") || strings.Count(out.String(), "::add-mask::minted-token-") != 8 {
		t.Errorf("printed %q\n%q", &complaints, &out)
	}
}

// TestMainFlushes also where the command was cancelled.
func TestMainFlushes(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, complaints bytes.Buffer
	Main(ctx, []string{"nonsense"}, testApp(&out, &complaints, "SOURCE_REPOS_PAT=\nmetapipe: \"nonsense\" and more"))
	if !strings.HasSuffix(complaints.String(), "\n") || !strings.Contains(complaints.String(), "nonsense") {
		t.Errorf("got %q", &complaints)
	}
}

// TestNamesOfSecrets names variables as providers do. What tool.env lists under the name
// of a secret is masked, be it a word.
func TestNamesOfSecrets(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"STORAGE_KEY", "SERVICE_KEY", "MASTER_KEY", "HMAC_KEY", "VAULT_UNSEAL_KEY", "ACCOUNT_KEY", "DEPLOY_KEY", "GPG_KEY", "TS_AUTHKEY",
		"WIFI_PSK", "SEED", "MNEMONIC", "OTP", "AZURE_PRIMARY_KEY", "SECRET_KEY_BASE", "SSH_KEY_2", "UNSEAL_KEYS", "storage_key", "COOKIE", "PASSWORD_SALT",
		"VAULT_UNLOCK_KEY", "BLOCK_KEY", "GHOST_KEY", "ORANGE_KEY", "SSH_HOST_KEY"} {
		for _, value := range []string{"hunter2", "correct-horse-battery"} {
			if got := secretsOf(name, value, true); len(got) != 1 || got[0] != value {
				t.Errorf("%s=%s: masked: %q", name, value, got)
			}
		}
	}
	for _, name := range []string{"SSH_KEY_PATH", "KEY_VAULT_NAME", "AZURE_KEY_VAULT", "PUBLIC_KEY", "TF_STATE_KEY", "CACHE_KEY", "KMS_KEY", "KEY", "KEYBOARD", "TFC_ORG", "SEEDLESS"} {
		if got := secretsOf(name, "hunter2", true); len(got) != 0 {
			t.Errorf("%s: masked: %q", name, got)
		}
	}
}

// TestSecretsInListedAddresses lets tool.env list addresses that are secrets themselves.
func TestSecretsInListedAddresses(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"https://store.blob.example/backup?sv=2022-11-02&sig=aGVsbG8gd29ybGQx%3D":   "aGVsbG8gd29ybGQx=",
		"https://hooks.slack.example/services/T0001/B0001/Xk29fLq0zPw8RrT5vN3mY7aB": "Xk29fLq0zPw8RrT5vN3mY7aB",
		"server=db;uid=sa;pwd=hunter2-plain":                                        "hunter2-plain",
	} {
		if got := secretsOf("BACKUP_URL", value, true); !slices.Contains(got, want) {
			t.Errorf("%s: masked: %q", value, got)
		}
	}
	if got := secretsOf("API_URL", "https://api.example.com/v2/infrastructure-and-platform?region=eu", false); len(got) != 0 {
		t.Errorf("masked: %q", got)
	}
}
