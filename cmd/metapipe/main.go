// Command metapipe carries a change of a customer's infra/variables.yml to the
// service provider's Terraform and the answer back.
package main

func main() {}
