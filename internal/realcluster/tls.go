package realcluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Domain is the domain that the nodes' certificate is valid for, besides localhost and loopback addresses, which are
// those that a Front may have: announce names like "node-0.keyslot.test" to test host name verification.
const Domain = "keyslot.test"

// tlsFiles are the cluster's own authority and the one certificate that all nodes, and the harness, present.
type tlsFiles struct {
	ca, cert, key string // paths of PEM files
	client        *tls.Config
}

// TLSConfig returns a configuration that trusts the cluster's authority, or nil for a cluster without TLS. It carries a
// certificate for clusters that ask for one. The caller owns the copy. ServerName is empty: filling it in per node is
// the client's business.
func (c *Cluster) TLSConfig() *tls.Config {
	if c.tls == nil {
		return nil
	}
	return c.tls.client.Clone()
}

// Authority returns the cluster's authority in PEM, for a client in another process; nil for a cluster without TLS.
func (c *Cluster) Authority() ([]byte, error) {
	if c.tls == nil {
		return nil, nil
	}
	return os.ReadFile(c.tls.ca)
}

func newTLSFiles(dir string) (*tlsFiles, error) {
	authority := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "keyslot test authority"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	authorityKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	node := &x509.Certificate{
		SerialNumber: big.NewInt(2),
		Subject:      pkix.Name{CommonName: "keyslot test node"},
		NotBefore:    authority.NotBefore,
		NotAfter:     authority.NotAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		// Nodes are clients of each other on the cluster bus and for replication.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv6loopback},
		DNSNames:    []string{"localhost", Domain, "*." + Domain},
	}
	for _, host := range frontHosts() {
		node.IPAddresses = append(node.IPAddresses, host.AsSlice())
	}
	nodeKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	authorityDER, err := x509.CreateCertificate(rand.Reader, authority, authority, &authorityKey.PublicKey, authorityKey)
	if err != nil {
		return nil, err
	}
	nodeDER, err := x509.CreateCertificate(rand.Reader, node, authority, &nodeKey.PublicKey, authorityKey)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(nodeKey)
	if err != nil {
		return nil, err
	}
	return writeTLSFiles(dir, authorityDER, nodeDER, keyDER)
}

func writeTLSFiles(dir string, authority, cert, key []byte) (*tlsFiles, error) {
	files := &tlsFiles{
		ca:   filepath.Join(dir, "ca.pem"),
		cert: filepath.Join(dir, "node.pem"),
		key:  filepath.Join(dir, "node.key"),
	}
	authorityPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: authority})
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	keyPEM := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})
	for path, content := range map[string][]byte{files.ca: authorityPEM, files.cert: certPEM, files.key: keyPEM} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			return nil, err
		}
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authorityPEM)
	files.client = &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}}
	return files, nil
}
