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
