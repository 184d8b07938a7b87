/**
 * A self-signed certificate for localhost and 127.0.0.1, valid for a century, and its key. Nobody trusts it: that is its
 * use. Made with `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -subj /CN=localhost
 * -addext subjectAltName=DNS:localhost,IP:127.0.0.1`.
 */
export const testTls = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUTv3Ws4PK+pe64fDpALhkGZVgLN8wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMTAxMjk1OVoYDzIxMjYxMDI4
MDEyOTU5WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQFrQp4yGC7qfttQ3AD2vrxXS0+4G4jdQgl2pMRCQb07v7JlUY2sN9e
BtLiEK4HjTV/9TGl/Nj2BMOocAi3uKmgo28wbTAdBgNVHQ4EFgQUw5vxarS8E3SH
hZ3pELlkG4uy1lQwHwYDVR0jBBgwFoAUw5vxarS8E3SHhZ3pELlkG4uy1lQwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgfBP98+Spzfp1nnfM7Zmd6dmTLxLfRLWSeooRysd+e2cCIQCM
03/CRFBSqa06HlifMnPaavBt0XeiclYpXfH8zCT4Gg==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgfYJVQhbnMx18GJyN
i4gr3XV8qbnbgggB34XtlM6MalKhRANCAAQFrQp4yGC7qfttQ3AD2vrxXS0+4G4j
dQgl2pMRCQb07v7JlUY2sN9eBtLiEK4HjTV/9TGl/Nj2BMOocAi3uKmg
-----END PRIVATE KEY-----
`,
};

/** An authority of the tests' own: who trusts it trusts `namedTls`. Its key is thrown away. */
export const testAuthority = `-----BEGIN CERTIFICATE-----
MIIBnzCCAUWgAwIBAgIUH1j57G/Bn55EZHcsrRgJEdKJtxIwCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRcnQgdGVzdCBhdXRob3JpdHkwIBcNMjYxMTIxMDQ1MzQ5WhgP
MjEyNjEwMjgwNDUzNDlaMBwxGjAYBgNVBAMMEXJ0IHRlc3QgYXV0aG9yaXR5MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXT8gubDOixo/l9PfByiq3sgcaA65jHNj
j0JbJxf5CR+Kfp1xzQ0+gWVA+TCm8CWXF1Ahg+nCukXtDZV9+M3bcKNjMGEwHQYD
VR0OBBYEFH/izZiZGpf7bcEJfkKYzJoX99HgMB8GA1UdIwQYMBaAFH/izZiZGpf7
bcEJfkKYzJoX99HgMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgIEMAoG
CCqGSM49BAMCA0gAMEUCIQDqVzCvRqiU7ZY0miMeXnGhTvdf7TBe4O4Q3WkRR8IW
iQIgenQSwdyqfwRXAK/fM6zNRDrFe9Uyh1nn4G6Bwn73CQ8=
-----END CERTIFICATE-----
`;

/** A certificate of that authority for registry.test, localhost and 127.0.0.1, and its key. */
export const namedTls = {
  cert: `-----BEGIN CERTIFICATE-----
MIIB0zCCAXqgAwIBAgIUQW1+9KZfaetVAeY8dcZhwtyY0RkwCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRcnQgdGVzdCBhdXRob3JpdHkwIBcNMjYxMTIxMDQ1MzQ5WhgP
MjEyNjEwMjgwNDUzNDlaMBgxFjAUBgNVBAMMDXJlZ2lzdHJ5LnRlc3QwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAQAYxp4m5pyUttjkQh81KzJyAYRYFpW9zQo2h+0
mueSGv0fbUaa128LxVCcAtJ1ObeaOEihpibk4z3hT9uMfp/Wo4GbMIGYMCkGA1Ud
EQQiMCCCDXJlZ2lzdHJ5LnRlc3SCCWxvY2FsaG9zdIcEfwAAATAMBgNVHRMBAf8E
AjAAMB0GA1UdJQQWMBQGCCsGAQUFBwMBBggrBgEFBQcDAjAdBgNVHQ4EFgQUH9yL
kes9Vl0AkZtkPz6d8LNeC+swHwYDVR0jBBgwFoAUf+LNmJkal/ttwQl+QpjMmhf3
0eAwCgYIKoZIzj0EAwIDRwAwRAIgXvEw8KruqGHb0xB4hcb2cN2FnKnlQUDufUN0
epEVYPkCIAzwR5MN2pnNmwtqwsc23QRDYfQTvWssb004PEsA2ynb
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4pIrbrFrIS7KGNL6
PNlIj8Y0vyS0PhhPilidO7HwV0ihRANCAAQAYxp4m5pyUttjkQh81KzJyAYRYFpW
9zQo2h+0mueSGv0fbUaa128LxVCcAtJ1ObeaOEihpibk4z3hT9uMfp/W
-----END PRIVATE KEY-----
`,
};
