package pipeline

// Inventory is the name of the ConfigMap that lists what a target has in its cluster. It is one for
// each target: the names in it hold no dots.
func (KubernetesRule) Inventory(t Target) string {
	name := "metapipe." + string(t.Customer) + "." + string(t.Environment)
	if t.Stack != "" {
		name += "." + string(t.Stack)
	}
	return name
}

// Backend names the inventory as the place of the state of a target.
func (r KubernetesRule) Backend(tool string, t Target) Backend {
	config := map[string]string{"namespace": r.Namespace.Fill(t, ""), "inventory": r.Inventory(t)}
	if r.Context != "" {
		config["context"] = r.Context.Fill(t, "")
	}
	return Backend{Type: tool, Config: config}
}
