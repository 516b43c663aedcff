// Package onboarding plans and writes what a customer needs on GitHub: its file in the manager and its
// first files, each as a pull request, custom properties, variables, a required check and a secret.
// It takes the same back, and ends the rights of a customer that leaves. Each is one row of a plan of
// writes, see package change. What is done stands on GitHub alone: a variable of the customer's
// repository lists what onboarding has made there, and branches carry a mark.
package onboarding
