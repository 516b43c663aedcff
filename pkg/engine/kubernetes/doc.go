// Package kubernetes is the engine of Kubernetes and of Crossplane: the manifests of a root,
// filled in with the values of a target as data, are applied by kubectl on the side of the
// server. A plan is a dry run there. What a target has in the cluster is in its inventory, a
// ConfigMap that is its state.
package kubernetes
