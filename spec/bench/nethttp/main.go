// Command nethttp answers hello with net/http and nothing else, for comparison.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: nethttp ADDRESS")
		os.Exit(2)
	}
	hello := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, "hello\n")
	}
	fmt.Fprintln(os.Stderr, "nethttp:", http.ListenAndServe(os.Args[1], http.HandlerFunc(hello)))
	os.Exit(1)
}
