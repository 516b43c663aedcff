package pulumi

import (
	"context"
	"os"
	"path/filepath"
	"strings"
)

// phraseVariable gives the CLI the passphrase of the secrets.
const phraseVariable = "PULUMI_CONFIG_PASSPHRASE"

// setEnvironment makes the environment of the tool. No PULUMI_* of this process gets through:
// each is a setting that could change what a plan does, or where its state lies.
func (w *workspace) setEnvironment(context.Context) error {
	environ := w.engine.options.Environ
	allowed, err := environ.Allowed(w.job.Tool())
	if err != nil {
		return err
	}
	for _, pair := range allowed {
		if !strings.HasPrefix(pair, "PULUMI_") {
			w.env = append(w.env, pair)
		}
	}
	home := environ.Get("PULUMI_HOME")
	if home == "" {
		home = filepath.Join(environ.Home(), ".pulumi")
	}
	w.pluginHome = filepath.Join(home, "plugins")
	if info, err := os.Stat(w.pluginHome); err == nil && info.IsDir() && filepath.IsAbs(w.pluginHome) {
		if err := os.Symlink(w.pluginHome, filepath.Join(w.home(), "plugins")); err != nil {
			return w.written("link the plugins of Pulumi", err)
		}
	}
	w.env = append(w.env,
		"PULUMI_HOME="+w.home(),
		phraseVariable+"="+w.crypt.passphrase,
		"PULUMI_CREDENTIAL_STORE=plaintext", // there are no credentials to keep
		"PULUMI_SKIP_UPDATE_CHECK=true",
		"PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true",
		"PULUMI_DISABLE_REGISTRY_RESOLVE=true",
		"PULUMI_DIY_BACKEND_DISABLE_CHECKPOINT_BACKUPS=true",
		"PULUMI_SUPPRESS_NEO_LINK=true",
		"PWD="+w.root,
	)
	return nil
}
