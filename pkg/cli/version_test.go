package cli

import (
	"bytes"
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionOfABuild(t *testing.T) {
	t.Parallel()
	info := &debug.BuildInfo{Main: debug.Module{Version: "v1.4.2"}, Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2031-05-06T07:08:09Z"}, {Key: "vcs.modified", Value: "true"}}}
	read := func() (*debug.BuildInfo, bool) { return info, true }
	if got := (Version{Number: "dev"}).built(read); got != (Version{Number: "v1.4.2", Commit: "0123456789abcdef-dirty", Date: "2031-05-06T07:08:09Z"}) {
		t.Errorf("go install: %+v", got)
	}
	linked := Version{Number: "v2.0.0", Commit: "ff", Date: "2032-01-01"}
	if got := linked.built(read); got != linked {
		t.Errorf("linked: %+v", got)
	}
	info.Main.Version = "(devel)"
	if got := (Version{Number: "dev"}).built(read); got.Number != "dev" || got.Commit == "" {
		t.Errorf("go build: %+v", got)
	}
	if got := (Version{Number: "dev"}).built(func() (*debug.BuildInfo, bool) { return nil, false }); got.Number != "dev" {
		t.Errorf("nothing recorded: %+v", got)
	}
}

func TestVersionFlag(t *testing.T) {
	t.Parallel()
	var flag, command, complaints bytes.Buffer
	for out, args := range map[*bytes.Buffer][]string{&flag: {"--version"}, &command: {"version"}} {
		app := testApp(out, &complaints, "GITHUB_ACTIONS=false")
		app.Version = Version{Number: "v9.8.7"}
		if code := Main(t.Context(), args, app); code != ExitDone {
			t.Errorf("%v: code %d: %s", args, code, &complaints)
		}
	}
	if flag.String() != command.String() || !strings.HasPrefix(flag.String(), "metapipe v9.8.7 ") {
		t.Errorf("got %q and %q", &flag, &command)
	}
}
