package actions_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

func env(m map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		v, ok := m[name]
		return v, ok
	}
}

func runnerEnv(changes map[string]string) map[string]string {
	m := map[string]string{
		"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "push", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_REPOSITORY_ID": "7",
		"GITHUB_RUN_ID": "99", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_SHA": string(mergeSHA), "GITHUB_REF": "refs/heads/main",
		"GITHUB_SERVER_URL": "https://ghe.example.com/", "GITHUB_API_URL": "https://ghe.example.com/api/v3",
		"GITHUB_ACTOR": "kim", "GITHUB_ACTOR_ID": "5", "GITHUB_TRIGGERING_ACTOR": "robin", "GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/x.yml@refs/heads/main",
	}
	maps.Copy(m, changes)
	return m
}

func TestReadContext(t *testing.T) {
	t.Parallel()
	c, err := actions.ReadContext(env(runnerEnv(nil)))
	if err != nil {
		t.Fatal(err)
	}
	want := pipeline.Run{Repository: pipeline.Slug{Owner: "acme", Name: "shop"}, RepositoryID: 7, ID: 99, Attempt: 2, URL: "https://ghe.example.com/acme/shop/actions/runs/99"}
	if diff := cmp.Diff(want, c.Run()); diff != "" || c.RepositoryID != 7 || c.Actor != "kim" || c.ActorID != 5 || c.TriggeringActor != "robin" || c.SHA != mergeSHA {
		t.Errorf("%+v\n%s", c, diff)
	}
	if c, err = actions.ReadContext(env(runnerEnv(map[string]string{"GITHUB_RUN_ATTEMPT": ""}))); err != nil || c.RunAttempt != 1 {
		t.Errorf("attempt %d, %v", c.RunAttempt, err)
	}
}

func TestReadContextOnALaptop(t *testing.T) {
	t.Parallel()
	c, err := actions.ReadContext(env(map[string]string{"GITHUB_SHA": "nonsense"}))
	want := actions.Context{ServerURL: "https://github.com", APIURL: "https://api.github.com"}
	if err != nil || c != want || c.Run() != (pipeline.Run{}) || c.RunURL() != "" {
		t.Errorf("got %+v, %v", c, err)
	}
}

func TestReadContextNamesBadValues(t *testing.T) {
	t.Parallel()
	bad := map[string]string{
		"GITHUB_EVENT_NAME": "", "GITHUB_REPOSITORY": "acme", "GITHUB_REPOSITORY_ID": "-7", "GITHUB_RUN_ID": "x",
		"GITHUB_RUN_ATTEMPT": "0", "GITHUB_SHA": "abc", "GITHUB_REF": "main", "GITHUB_SERVER_URL": "ghe.example.com",
		"GITHUB_API_URL": "http://ghe.example.com", "GITHUB_ACTOR": "a\nb", "GITHUB_ACTOR_ID": "kim",
	}
	_, err := actions.ReadContext(env(runnerEnv(bad)))
	var usage *pipeline.UsageError
	if !errors.As(err, &usage) {
		t.Fatalf("got %v", err)
	}
	for name := range bad {
		if !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%s is not named in: %v", name, err)
		}
	}
}

func TestAddressOfTheAPIFollowsTheServer(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"https://github.com":             "https://api.github.com",
		"https://octo.ghe.com":           "https://api.octo.ghe.com",
		"https://github.example.com/":    "https://github.example.com/api/v3",
		"https://github.example.com:444": "https://github.example.com:444/api/v3",
		"http://127.0.0.1:8080":          "http://127.0.0.1:8080/api/v3",
	} {
		c, err := actions.ReadContext(env(map[string]string{"GITHUB_SERVER_URL": server}))
		if err != nil || c.APIURL != want {
			t.Errorf("%s: got %q, %v, want %q", server, c.APIURL, err, want)
		}
	}
	if _, err := actions.ReadContext(env(map[string]string{"GITHUB_SERVER_URL": "http://github.example.com"})); err == nil {
		t.Error("a token would travel in clear text")
	}
}
