package browser

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/launcher"
	"github.com/go-rod/rod/lib/proto"

	"github.com/metapipe/metapipe/pkg/rehearsal/hub/hubtest"
)

// axeVersion is the version of axe-core that .ci/tools/api-description fetches.
const axeVersion = "4.14.1"

// screenshots is the variable with the folder for pictures of all pages; without it none are kept.
const screenshots = "METAPIPE_SCREENSHOTS"

// missing skips a test that lacks a part, or fails it where that part is demanded.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("METAPIPE_REQUIRE_CHROMIUM") != "" {
		t.Fatal(what + ", and pages are to be tested")
	}
	t.Skip("browser: " + what)
}

// start starts Chromium, which ends with the test.
func start(t *testing.T) *rod.Browser {
	t.Helper()
	program, err := exec.LookPath("chromium")
	if err != nil {
		missing(t, "there is no chromium")
	}
	// Without leakless, rod starts no helper program of its own.
	l := launcher.New().Bin(program).Leakless(false).Headless(true).UserDataDir(filepath.Join(t.TempDir(), "profile")).
		NoSandbox(os.Getuid() == 0). // its sandbox does not start for root
		Set("disable-gpu").Set("disable-dev-shm-usage").Set("disable-background-networking").Set("hide-scrollbars")
	address, err := l.Launch()
	if err != nil {
		t.Fatal(err)
	}
	b := rod.New().ControlURL(address)
	t.Cleanup(func() {
		_ = b.Close()
		l.Kill()
		l.Cleanup()
	})
	if err := b.Connect(); err != nil {
		t.Fatal(err)
	}
	return b
}

// axe is the source of axe-core.
func axe(t *testing.T) string {
	t.Helper()
	file, err := hubtest.Fetched("axe-core", axeVersion, "axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(file)
	if err != nil {
		missing(t, "axe-core is not fetched: run `make api-description`")
	}
	return string(source)
}

// view is a size of the window and a color scheme.
type view struct {
	name   string
	width  int
	scheme string
}

var views = []view{{"phone-light", 390, "light"}, {"phone-dark", 390, "dark"}, {"desk-light", 1280, "light"}, {"desk-dark", 1280, "dark"}}

// open opens a file as v shows it.
func open(t *testing.T, b *rod.Browser, file string, v view) *rod.Page {
	t.Helper()
	page, err := b.Page(proto.TargetCreateTarget{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = page.Close() })
	page = page.Timeout(2 * time.Minute)
	for _, err := range []error{
		page.SetViewport(&proto.EmulationSetDeviceMetricsOverride{Width: v.width, Height: 900, DeviceScaleFactor: 1, Mobile: v.width < 600}),
		proto.EmulationSetEmulatedMedia{Features: []*proto.EmulationMediaFeature{{Name: "prefers-color-scheme", Value: v.scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}}.Call(page),
		proto.PageSetBypassCSP{Enabled: true}.Call(page), // axe-core is a script, and the pages allow none
		page.Navigate("file://" + file),
		page.WaitLoad(),
	} {
		if err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
	}
	return page
}

// picture keeps what the page looks like, where that is asked for.
func picture(t *testing.T, page *rod.Page, name string) {
	t.Helper()
	dir := os.Getenv(screenshots)
	if dir == "" {
		return
	}
	image, err := page.Screenshot(true, nil)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), image, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}
