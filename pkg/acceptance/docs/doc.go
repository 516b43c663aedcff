// Package docs tests what is written about metapipe: documents, workflows, examples, and the shape of the code.
package docs
