package servicebus_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"goldmint/emulator/servicebus"
)

// front is what stands before a Service Bus in Azure and is not part of the emulator: TLS, and the
// administration over HTTPS by which Microsoft's suite makes its queues. AMQP goes through to the
// server as it comes. Both are on one port.
type front struct {
	server   *servicebus.Server
	address  string // localhost:port
	rootFile string // the certificate that clients have to trust

	mu       sync.Mutex
	entities map[string]*entity // by lower-case path
}

func startFront(t *testing.T, server *servicebus.Server) *front {
	t.Helper()
	bare, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(bare.Addr().String())
	f := &front{server: server, address: "localhost:" + port, entities: map[string]*entity{}}
	// For AMQP the client takes the port for a part of the host's name.
	certificate, root := selfSigned(t, "localhost", f.address)
	f.rootFile = root
	listener := tls.NewListener(bare, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	web := &handed{listener, make(chan net.Conn)}
	admin := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	go func() { _ = admin.Serve(web) }()
	go f.accept(listener, web)
	t.Cleanup(func() { _ = listener.Close(); _ = admin.Close() })
	return f
}

func (f *front) accept(listener net.Listener, web *handed) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			close(web.conns)
			return
		}
		go func() {
			r := bufio.NewReader(conn)
			first, _ := r.Peek(4)
			if string(first) != "AMQP" {
				web.conns <- peeked{conn, r}
				return
			}
			f.pass(conn, r)
		}()
	}
}

// pass joins a client to the server until either leaves.
func (f *front) pass(client net.Conn, r io.Reader) {
	defer func() { _ = client.Close() }()
	server, err := net.Dial("tcp", f.server.Addr())
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	_, _ = io.Copy(server, r)
	_ = server.Close()
}

// handed is a listener of connections that another one accepted.
type handed struct {
	net.Listener
	conns chan net.Conn
}

func (h *handed) Accept() (net.Conn, error) {
	conn, ok := <-h.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// entity is the description that its creator sent, completed as the service does.
type entity struct {
	kind   string // QueueDescription, TopicDescription or SubscriptionDescription
	fields []field
	made   time.Time
}

type field struct {
	XMLName xml.Name
	Text    string `xml:",chardata"`
}

func (e *entity) get(name string) string {
	for _, f := range e.fields {
		if f.XMLName.Local == name {
			return f.Text
		}
	}
	return ""
}

func (e *entity) complete(name, value string) {
	if e.get(name) == "" {
		e.fields = append(e.fields, field{xml.Name{Local: name}, value})
	}
}

// ServeHTTP is as much of the administration as the suite uses: create, change, read and delete one
// entity. A deleted entity is forgotten here alone: no name comes twice.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.Trim(r.URL.Path, "/")
	if path == "msi/token" {
		_, _ = fmt.Fprintf(w, `{"access_token":"live","expires_on":"%d","resource":"x","token_type":"Bearer"}`, time.Now().Add(24*time.Hour).Unix())
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	key := strings.ToLower(path)
	old := f.entities[key]
	switch {
	case r.Method == http.MethodPut:
		e, err := readEntity(r.Body)
		if err == nil && old == nil {
			err = f.create(path, e)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		status := http.StatusOK
		if old == nil {
			status = http.StatusCreated
		} else {
			f.server.DetachForTest(path)
		}
		f.entities[key] = e
		e.write(w, status, path, nil)
	case old == nil:
		http.Error(w, "<Error><Code>404</Code><Detail>No such entity.</Detail></Error>", http.StatusNotFound)
	case r.Method == http.MethodDelete:
		delete(f.entities, key)
		w.WriteHeader(http.StatusOK)
	default:
		old.write(w, http.StatusOK, path, f.runtime(path, old))
	}
}

func readEntity(r io.Reader) (*entity, error) {
	var entry struct {
		Content struct {
			Inner struct {
				XMLName xml.Name
				Fields  []field `xml:",any"`
			} `xml:",any"`
		} `xml:"content"`
	}
	if err := xml.NewDecoder(r).Decode(&entry); err != nil {
		return nil, err
	}
	e := &entity{kind: entry.Content.Inner.XMLName.Local, fields: entry.Content.Inner.Fields, made: time.Now()}
	e.complete("DefaultMessageTimeToLive", servicebus.Forever.String())
	if e.kind != "TopicDescription" {
		e.complete("LockDuration", "PT1M")
		e.complete("MaxDeliveryCount", "10")
	}
	e.complete("Status", "Active")
	return e, nil
}

// create makes the entity in the server, with the properties that matter there.
func (f *front) create(path string, e *entity) error {
	duration := func(name string) servicebus.Duration {
		d, err := servicebus.ParseDuration(e.get(name))
		if err != nil {
			return 0
		}
		return d
	}
	forward := func(name string) string {
		target := e.get(name)
		return target[strings.LastIndexByte(target, '/')+1:]
	}
	p := servicebus.QueueProperties{
		DeadLetteringOnMessageExpiration: e.get("DeadLetteringOnMessageExpiration") == "true",
		DefaultMessageTimeToLive:         duration("DefaultMessageTimeToLive"), LockDuration: duration("LockDuration"),
		ForwardTo: forward("ForwardTo"), ForwardDeadLetteredMessagesTo: forward("ForwardDeadLetteredMessagesTo"),
		RequiresDuplicateDetection: e.get("RequiresDuplicateDetection") == "true", RequiresSession: e.get("RequiresSession") == "true",
	}
	name := path
	var ns servicebus.Namespace
	switch e.kind {
	case "QueueDescription":
		ns.Queues = []servicebus.Queue{{Name: name, Properties: p}}
	case "TopicDescription":
		return nil // with its subscription: the configuration knows them together
	case "SubscriptionDescription":
		topic, name, _ := strings.Cut(path, "/Subscriptions/")
		ns.Topics = []servicebus.Topic{{Name: topic, Subscriptions: []servicebus.Subscription{{Name: name, Properties: p}}}}
	default:
		return fmt.Errorf("%s is not made here", e.kind)
	}
	return f.server.AddForTest(servicebus.Config{UserConfig: servicebus.UserConfig{Namespaces: []servicebus.Namespace{ns}}})
}

// runtime is what the service adds when an entity is read.
func (f *front) runtime(path string, e *entity) []string {
	active, scheduled, dead, deferred := f.server.Counts(path)
	total := active + scheduled + dead + deferred
	at := e.made.UTC().Format(time.RFC3339Nano)
	return []string{
		fmt.Sprintf("<SizeInBytes>%d</SizeInBytes><MessageCount>%d</MessageCount>", 1000*total, total),
		fmt.Sprintf("<CreatedAt>%s</CreatedAt><UpdatedAt>%s</UpdatedAt><AccessedAt>%s</AccessedAt>", at, at, at),
		"<CountDetails>", fmt.Sprintf("<ActiveMessageCount>%d</ActiveMessageCount>", active),
		fmt.Sprintf("<DeadLetterMessageCount>%d</DeadLetterMessageCount>", dead),
		fmt.Sprintf("<ScheduledMessageCount>%d</ScheduledMessageCount>", scheduled),
		"<TransferMessageCount>0</TransferMessageCount><TransferDeadLetterMessageCount>0</TransferDeadLetterMessageCount></CountDetails>",
		"<SubscriptionCount>1</SubscriptionCount>",
	}
}

func (e *entity) write(w http.ResponseWriter, status int, path string, more []string) {
	w.Header().Set("Content-Type", "application/atom+xml;type=entry;charset=utf-8")
	w.WriteHeader(status)
	var b strings.Builder
	for _, f := range e.fields {
		_, _ = fmt.Fprintf(&b, "<%s>", f.XMLName.Local)
		_ = xml.EscapeText(&b, []byte(f.Text))
		_, _ = fmt.Fprintf(&b, "</%s>", f.XMLName.Local)
	}
	name := path[strings.LastIndexByte(path, '/')+1:]
	_, _ = fmt.Fprintf(w, `<entry xmlns="http://www.w3.org/2005/Atom"><title type="text">%s</title><content type="application/xml">`+
		`<%s xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">%s%s</%s></content></entry>`,
		name, e.kind, b.String(), strings.Join(more, ""), e.kind)
}

// selfSigned is a certificate for those hosts, and the file that has it as a root.
func selfSigned(t *testing.T, names ...string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
