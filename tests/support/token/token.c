/*
 * A security key made of software, for the tests: OpenSSH's own programs talk to it as to a real one.
 *
 * The interface is OpenSSH's PROTOCOL.u2f ("OpenSSH middleware"), version 0x000a0000, as a shared
 * library that SSH_SK_PROVIDER names. The key's handle is its seed: it keeps no secret from anybody.
 * MPGIT_TOKEN_UNTOUCHED=1 stands for a token that nobody touched, and which signs all the same.
 *
 *   cc -shared -fPIC -o token.so token.c -lcrypto
 */
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 0x000a0000
#define ED25519 0x01
#define TOUCHED 0x01
#define FAILED (-1)
#define UNSUPPORTED (-2)
#define KEY_SIZE 32
#define SIGNATURE_SIZE 64

struct sk_enroll_response {
    uint8_t flags;
    uint8_t *public_key;
    size_t public_key_len;
    uint8_t *key_handle;
    size_t key_handle_len;
    uint8_t *signature;
    size_t signature_len;
    uint8_t *attestation_cert;
    size_t attestation_cert_len;
    uint8_t *authdata;
    size_t authdata_len;
};

struct sk_sign_response {
    uint8_t flags;
    uint32_t counter;
    uint8_t *sig_r;
    size_t sig_r_len;
    uint8_t *sig_s;
    size_t sig_s_len;
};

uint32_t sk_api_version(void) { return VERSION; }

int sk_enroll(uint32_t algorithm, const uint8_t *challenge, size_t challenge_len,
              const char *application, uint8_t flags, const char *pin, void **options,
              struct sk_enroll_response **answer)
{
    (void)challenge, (void)challenge_len, (void)application, (void)pin, (void)options;
    if (algorithm != ED25519)
        return UNSUPPORTED;
    struct sk_enroll_response *made = calloc(1, sizeof *made);
    uint8_t *seed = malloc(KEY_SIZE), *point = malloc(KEY_SIZE), *signature = calloc(1, 1);
    if (!made || !seed || !point || !signature || RAND_bytes(seed, KEY_SIZE) != 1)
        return FAILED;
    size_t length = KEY_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, KEY_SIZE);
    if (!key || EVP_PKEY_get_raw_public_key(key, point, &length) != 1)
        return FAILED;
    EVP_PKEY_free(key);
    made->flags = flags;
    made->public_key = point;
    made->public_key_len = KEY_SIZE;
    made->key_handle = seed;
    made->key_handle_len = KEY_SIZE;
    made->signature = signature;
    made->signature_len = 1;
    *answer = made;
    return 0;
}

int sk_sign(uint32_t algorithm, const uint8_t *data, size_t data_len, const char *application,
            const uint8_t *handle, size_t handle_len, uint8_t flags, const char *pin, void **options,
            struct sk_sign_response **answer)
{
    (void)pin, (void)options;
    if (algorithm != ED25519 || handle_len != KEY_SIZE)
        return UNSUPPORTED;
    if (getenv("MPGIT_TOKEN_UNTOUCHED"))
        flags &= (uint8_t)~TOUCHED;
    /* What is signed: SHA-256 of the application, flags, counter (big-endian), SHA-256 of the data. */
    uint8_t message[SHA256_DIGEST_LENGTH * 2 + 5] = {0};
    SHA256((const uint8_t *)application, strlen(application), message);
    message[SHA256_DIGEST_LENGTH] = flags;
    message[SHA256_DIGEST_LENGTH + 4] = 7; /* the counter */
    SHA256(data, data_len, message + SHA256_DIGEST_LENGTH + 5);
    struct sk_sign_response *made = calloc(1, sizeof *made);
    uint8_t *signature = malloc(SIGNATURE_SIZE);
    size_t length = SIGNATURE_SIZE;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, handle, KEY_SIZE);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!made || !signature || !key || !context ||
        EVP_DigestSignInit(context, NULL, NULL, NULL, key) != 1 ||
        EVP_DigestSign(context, signature, &length, message, sizeof message) != 1)
        return FAILED;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    made->flags = flags;
    made->counter = 7;
    made->sig_r = signature;
    made->sig_r_len = SIGNATURE_SIZE;
    *answer = made;
    return 0;
}

int sk_load_resident_keys(const char *pin, void **options, void ***keys, size_t *count)
{
    (void)pin, (void)options;
    *keys = NULL;
    *count = 0;
    return 0;
}
