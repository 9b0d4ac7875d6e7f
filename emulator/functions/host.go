// Package functions is the Azure Functions host's side of the custom-handler
// protocol.
package functions
