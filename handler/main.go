// Command handler is Goldmint's Azure Functions custom handler.
package main

func main() {}
