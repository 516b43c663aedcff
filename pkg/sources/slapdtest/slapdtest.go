// Package slapdtest starts a real directory server for tests: slapd of OpenLDAP.
package slapdtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Server is a directory server on this machine, with 1,200 people.
type Server struct {
	Plain, Secure string // addresses
	Dir           string // with ca.pem
	Process       *os.Process
}

// slapdProgram finds the server. Its profile for AppArmor goes by its path and keeps it out of temporary
// directories, so a copy is run.
func slapdProgram(t *testing.T, dir string) string {
	t.Helper()
	program, err := exec.LookPath("slapd")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/slapd")
	}
	if err != nil {
		if os.Getenv("METAPIPE_REQUIRE_SLAPD") != "" {
			t.Fatal("slapd is not installed, and the sources of the type ldap are to be tested")
		}
		t.Skip("slapd: not installed")
	}
	raw, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "slapd")
	if err := os.WriteFile(copied, raw, 0o700); err != nil {
		t.Fatal(err)
	}
	return copied
}

// What the directory holds.
const (
	Suffix    = "dc=example,dc=com"
	ReaderDN  = "cn=reader," + Suffix
	LimitedDN = "cn=limited," + Suffix // gets 500 entries and an error
	PagedDN   = "cn=paged," + Suffix   // gets pages of at most 100
	Password  = "correct horse battery"
	People    = 1200
)

// Start starts a server, which ends with the test. Without slapd the test is skipped, unless
// METAPIPE_REQUIRE_SLAPD is set.
func Start(t *testing.T) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "slapd") // the path of a socket or a database must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	program := slapdProgram(t, dir)
	certificates(t, dir)
	modules := "/usr/lib/ldap"
	files := map[string]string{
		"people.ldif": people(),
		"slapd.conf": fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath %[2]s
moduleload back_mdb
TLSCACertificateFile %[1]s/ca.pem
TLSCertificateFile %[1]s/server.pem
TLSCertificateKeyFile %[1]s/server.key
database mdb
suffix "%[3]s"
rootdn "cn=root,%[3]s"
directory %[1]s/data
maxsize 67108864
limits dn.exact="%[4]s" size=500
limits dn.exact="%[5]s" size.pr=100 size.prtotal=unlimited
limits * size=unlimited
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,%[3]s" by * none
access to * by users read by * none
`, dir, modules, Suffix, LimitedDN, PagedDN),
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	add := exec.CommandContext(t.Context(), program, "-T", "add", "-q", "-f", filepath.Join(dir, "slapd.conf"), "-l", filepath.Join(dir, "people.ldif"))
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	s := &Server{Plain: freeAddress(t), Secure: freeAddress(t), Dir: dir}
	// #nosec G204 -- a copy of the server
	cmd := exec.Command(program, "-d", "0", "-f", filepath.Join(dir, "slapd.conf"), "-h", "ldap://"+s.Plain+" ldaps://"+s.Secure)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.Process = cmd.Process
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", s.Secure)
		if err == nil {
			_ = conn.Close()
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("slapd does not listen: %v", err)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// people are the entries: 1,200 people, each with a repository, in groups that lie in each other and in a circle.
func people() string {
	var out strings.Builder
	fmt.Fprintf(&out, "dn: %s\nobjectClass: dcObject\nobjectClass: organization\no: example\ndc: example\n\n", Suffix)
	for _, name := range []string{"reader", "limited", "paged"} {
		fmt.Fprintf(&out, "dn: cn=%s,%s\nobjectClass: person\ncn: %s\nsn: x\nuserPassword: %s\n\n", name, Suffix, name, Password)
	}
	for _, ou := range []string{"people", "groups", "hidden"} {
		fmt.Fprintf(&out, "dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", ou, Suffix, ou)
	}
	for i := range People {
		fmt.Fprintf(&out, "dn: uid=p%04d,ou=people,%s\nobjectClass: inetOrgPerson\nuid: p%04d\ncn: P\nsn: P\nmail: p%04d@example.com\nemployeeNumber: %d\n", i, Suffix, i, i, 5000+i)
		if i == 7 {
			out.WriteString("jpegPhoto:: //79\nou: web\nou: shop\n")
		}
		out.WriteString("\n")
	}
	group := func(name string, members ...string) {
		fmt.Fprintf(&out, "dn: cn=%s,ou=groups,%s\nobjectClass: groupOfNames\ncn: %s\n", name, Suffix, name)
		for _, m := range members {
			fmt.Fprintf(&out, "member: %s,%s\n", m, Suffix)
		}
		out.WriteString("\n")
	}
	group("owners", "uid=P0001,OU=people", "cn=web,ou=groups", "uid=p0002,ou=people")
	group("web", "uid=p0003,ou=people", "cn=deep,ou=groups", "cn=owners,ou=groups")
	group("deep", "uid=p0004,ou=people", "uid=p0001,ou=people")
	group("broken", "uid=p0001,ou=people", "cn=secret,ou=hidden")
	fmt.Fprintf(&out, "dn: cn=secret,ou=hidden,%s\nobjectClass: groupOfNames\ncn: secret\nmember: uid=p0005,ou=people,%s\n\n", Suffix, Suffix)
	return out.String()
}

// certificates makes an authority, and a certificate of it for this machine.
func certificates(t *testing.T, dir string) {
	t.Helper()
	write := func(name, kind string, der []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	authority := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	authorityKey, serverKey := key(), key()
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, authorityKey.Public(), authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	write("ca.pem", "CERTIFICATE", der)
	server := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if der, err = x509.CreateCertificate(rand.Reader, server, authority, serverKey.Public(), authorityKey); err != nil {
		t.Fatal(err)
	}
	write("server.pem", "CERTIFICATE", der)
	if der, err = x509.MarshalECPrivateKey(serverKey); err != nil {
		t.Fatal(err)
	}
	write("server.key", "EC PRIVATE KEY", der)
}
