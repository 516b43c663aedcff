package pipeline

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// The kinds of backend that metapipe fills in itself; others come from a
// template in metapipe.yml.
const (
	BackendLocal = "local"
	BackendS3    = "s3"
)

// Backend is where the tool keeps the state of one target. The zero value is a
// scratch state that goes with the run directory.
type Backend struct {
	// Type is the tool's word for it: "local" with the argument path (absolute),
	// "s3" with bucket, key and region, or any other.
	Type string
	// Config holds the arguments of the backend. It never holds a credential:
	// those reach the tool through its environment.
	Config map[string]string
}

// Zero reports whether b is the scratch state.
func (b Backend) Zero() bool { return b.Type == "" }

// Path is the absolute path of a local state, "" for every other kind.
func (b Backend) Path() string {
	if b.Type != BackendLocal {
		return ""
	}
	return b.Config["path"]
}

// String names the state, and nothing else of how it is reached: the path of a
// local one, s3://BUCKET/KEY, or the type with its arguments in order. It is what
// a receipt holds, so it is the same for each run and has no secret in it.
func (b Backend) String() string {
	switch b.Type {
	case "":
		return "scratch"
	case BackendLocal:
		return b.Config["path"]
	case BackendS3:
		return "s3://" + b.Config["bucket"] + "/" + b.Config["key"]
	}
	var args []string
	for _, name := range slices.Sorted(maps.Keys(b.Config)) {
		if !SecretArgument(name) {
			args = append(args, fmt.Sprintf("%s=%q", name, b.Config[name]))
		}
	}
	return b.Type + "(" + strings.Join(args, ", ") + ")"
}

// secretWords are parts of the names under which backends take credentials.
var secretWords = []string{"secret", "password", "token", "credential", "access_key", "sas", "private_key", "encryption_key", "customer_key", "certificate", "conn_str"}

// SecretArgument reports whether an argument of a backend holds a credential by
// its name. Such a value belongs in the environment of the tool, since the
// tool writes all arguments into plans.
func SecretArgument(name string) bool {
	name = strings.ToLower(name)
	if name == "secret_suffix" || name == "skip_credentials_validation" {
		return false // the name of a Kubernetes object, and a switch
	}
	return slices.ContainsFunc(secretWords, func(word string) bool {
		return name == word || strings.Contains(name, word) && word != "sas" || word == "sas" && strings.HasPrefix(name, "sas_")
	})
}

// State says where states and the store are kept: both in one directory of one
// machine, or both in one bucket. With a Backend the tool keeps its states there
// instead.
type State struct {
	// Directory is absolute, or relative to the manager directory.
	Directory string
	Bucket    Bucket
	// Backend is a template: `{{ customer }}`, `{{ environment }}` and `{{ stack }}` in the
	// values of Config are filled in for each target.
	Backend Backend
}

// Bucket is an S3 bucket for states and the store; the zero value is none.
type Bucket struct {
	Name   string
	Region string // empty: that of the environment
	Prefix string // stands before every key, without a slash at its end
	// KMSKey encrypts what is written; empty means SSE-S3.
	KMSKey string
	// LockTable is a DynamoDB table that locks states; empty means a lock file
	// beside the state, as the tool makes it from version 1.10 on.
	LockTable string
}

// StateKey is where the state of a target lies in the store.
func StateKey(t Target) string {
	return path.Join(t.Folder(), "terraform.tfstate")
}

// Target returns the backend of one target. Directory is the absolute directory
// of the states; it is of use only where s names neither bucket nor backend.
func (s State) Target(t Target, directory string) Backend {
	switch {
	case s.Backend.Type != "":
		return s.Backend.fill(t)
	case s.Bucket.Name != "":
		return s.Bucket.target(t)
	}
	return Backend{Type: BackendLocal, Config: map[string]string{"path": filepath.Join(directory, filepath.FromSlash(StateKey(t)))}}
}

func (b Bucket) target(t Target) Backend {
	config := map[string]string{"bucket": b.Name, "key": path.Join(b.Prefix, StateKey(t)), "encrypt": "true"}
	for name, value := range map[string]string{"region": b.Region, "kms_key_id": b.KMSKey, "dynamodb_table": b.LockTable} {
		if value != "" {
			config[name] = value
		}
	}
	if b.LockTable == "" {
		config["use_lockfile"] = "true"
	}
	return Backend{Type: BackendS3, Config: config}
}

func (b Backend) fill(t Target) Backend {
	filled := Backend{Type: b.Type, Config: make(map[string]string, len(b.Config))}
	for name, value := range b.Config {
		filled.Config[name] = Template(value).Fill(t, "")
	}
	return filled
}
