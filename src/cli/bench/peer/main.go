// A handler that does nothing, behind the mutual TLS of the device listener: what Go's net/http costs by itself.
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
)

func main() {
	certificate, key, issuer := os.Args[1], os.Args[2], os.Args[3]
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		panic(err)
	}
	pem, err := os.ReadFile(issuer)
	if err != nil {
		panic(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config := &tls.Config{
		Certificates: []tls.Certificate{pair},
		ClientCAs:    pool,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"http/1.1"},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	answer := make([]byte, 16<<20)
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		digits, _, _ := strings.Cut(string(body[:min(len(body), 12)]), " ")
		size, _ := strconv.Atoi(digits)
		w.Header().Set("Content-Type", "application/vnd.syncml.dm+xml")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(answer[:min(size, len(answer))])
	})
	url := fmt.Sprintf("https://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	fmt.Printf("ready url=%s device_url=%s\n", url, url)
	panic(http.Serve(tls.NewListener(listener, config), nil))
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}
