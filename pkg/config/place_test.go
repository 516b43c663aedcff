package config

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func backend(kind string, pairs ...string) pipeline.Backend {
	b := pipeline.Backend{Type: kind, Config: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		b.Config[pairs[i]] = pairs[i+1]
	}
	return b
}

// One place has one text, however a file spells it.
func TestPlaceHasOneSpelling(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("s", 63)
	for name, list := range map[string][]pipeline.Backend{
		"http": {
			backend("http", "address", "https://states.example/a/b?x=1&y=2"),
			backend("http", "address", "https://states.example/a/b/?x=1&y=2"),
			backend("http", "address", "HTTPS://STATES.Example./a/b?x=1&y=2"),
			backend("http", "address", "https://states.example:443/a/b?y=2&x=1"),
			backend("http", "address", "http://states.example:80//a/./b?y=2;x=1"),
			backend("http", "address", "https://states.example/%61/c/%2e%2e/b?x=%31&y=2#top"),
			backend("http", "address", "https://states.example/%2561/b?x=1&x=1&y=2", "lock_address", "https://other.example", "username", "u"),
		},
		"http by number": {backend("http", "address", "http://[::1]/a"), backend("http", "address", "http://[0:0::1]:0080/a")},
		"gcs":            {backend("gcs", "bucket", "b", "prefix", "a/b"), backend("gcs", "bucket", "b", "prefix", "/a//b/"), backend("gcs", "prefix", "a/./b", "bucket", "B", "kms_encryption_key", "k")},
		"s3": {
			backend("s3", "bucket", "b", "key", "a/b"), backend("s3", "bucket", "b", "key", "a//b", "region", "eu-west-1", "encrypt", "true"),
			backend("s3", "bucket", "b", "key", "a/b", "dynamodb_table", "locks"),
		},
		"cos":        {backend("cos", "bucket", "b", "prefix", "a/b", "key", "c"), backend("cos", "bucket", "b", "prefix", "a", "key", "b/c"), backend("cos", "bucket", "b", "key", "a/b/c")},
		"oss":        {backend("oss", "bucket", "b", "prefix", "a"), backend("oss", "bucket", "b", "prefix", "a/", "key", "terraform.tfstate")},
		"kubernetes": {backend("kubernetes", "secret_suffix", "a"), backend("kubernetes", "secret_suffix", "a", "namespace", "default", "config_path", "/k")},
		"pg":         {backend("pg"), backend("pg", "schema_name", "terraform_remote_state")},
		"pg, long":   {backend("pg", "schema_name", long+"a"), backend("pg", "schema_name", long+"b")},
		"local":      {backend("local", "path", "/s/a"), backend("local", "path", "/s//b/../a"), backend("local", "path", "/s/a", "workspace_dir", "/w")},
		"azurerm":    {backend("azurerm", "storage_account_name", "s", "container_name", "c", "key", "k"), backend("azurerm", "storage_account_name", "s", "container_name", "c", "key", "k", "resource_group_name", "g")},
		"not known":  {backend("later", "where", "https://h/a", "what", "x/"), backend("later", "what", "x", "where", "https://H:443/a/")},
	} {
		for _, b := range list[1:] {
			if place(b) != place(list[0]) {
				t.Errorf("%s: %s is not the place of %s:\n%q\n%q", name, b, list[0], place(b), place(list[0]))
			}
		}
	}
}

// Two places stay two.
func TestPlacesStayApart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, b := range []pipeline.Backend{
		backend("http", "address", "https://h/a"), backend("http", "address", "https://h/b"), backend("http", "address", "https://g/a"),
		backend("http", "address", "https://h:444/a"), backend("http", "address", "https://h/a?x=1"), backend("http", "address", "https://h/a?x=2"),
		backend("s3", "bucket", "b", "key", "a"), backend("s3", "bucket", "b", "key", "b"), backend("s3", "bucket", "c", "key", "a"),
		backend("gcs", "bucket", "b", "prefix", "a"), backend("gcs", "bucket", "b", "prefix", "a/b"),
		backend("pg", "schema_name", "a"), backend("pg", "schema_name", "b"), backend("kubernetes", "secret_suffix", "a"),
		backend("kubernetes", "secret_suffix", "a", "namespace", "n"), backend("consul", "path", "a"), backend("consul", "path", "b"),
		backend("local", "path", "/a"), backend("local", "path", "/b"), backend("later", "a", "x"), backend("later", "b", "x"),
	} {
		text := place(b)
		if other, taken := seen[text]; taken {
			t.Errorf("%s and %s are one place: %q", b, other, text)
		}
		seen[text] = b.String()
	}
}

// What the remedy for a shared state offers is accepted.
func TestLocatingArgumentsCanBeWritten(t *testing.T) {
	t.Parallel()
	for kind, arguments := range locating {
		for _, name := range arguments {
			if pipeline.SecretArgument(name) {
				t.Errorf("%s: %s is offered, and refused as a credential", kind, name)
			}
		}
	}
}
