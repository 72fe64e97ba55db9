/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a call of the SDK can fail with.
 *
 * Every fallible function takes a struct ctfy_error last, leaves it alone on success and fills it
 * on failure. It returns 0, or the negative kind: -CTFY_ERROR_NODE and so on. The caller owns the
 * struct; ctfy_error_done() frees what it holds. NULL is allowed where only the kind matters.
 */
#ifndef CTFY_ERROR_H
#define CTFY_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define CTFY_API __attribute__((visibility("default")))
#else
#define CTFY_API
#endif

enum ctfy_error_kind {
	CTFY_ERROR_NONE,
	CTFY_ERROR_NODE,      /* node request error: the node answered with an error status */
	CTFY_ERROR_CONNECT,   /* refused, unreachable, or no such host */
	CTFY_ERROR_TIMEOUT,   /* the call's total time ran out */
	CTFY_ERROR_TLS,       /* certificate or handshake */
	CTFY_ERROR_TRANSPORT, /* the connection broke: reset, body cut short, not HTTP */
	CTFY_ERROR_TOO_LARGE, /* the body is larger than the call allows */
	CTFY_ERROR_PROTOCOL,  /* not JSON where JSON was promised, or not the promised shape */
	CTFY_ERROR_ARGUMENT,  /* an argument is unusable: nothing was sent */
	CTFY_ERROR_ABORTED, /* the caller's own sink stopped the call, or writing its file failed */
	CTFY_ERROR_MEMORY
};

struct ctfy_error {
	enum ctfy_error_kind kind;
	int status;   /* HTTP status of the node's answer; 0 when none came whole */
	char *detail; /* CTFY_ERROR_NODE: the node's detail, exactly; otherwise what happened.
			 NULL only when memory ran out while it was made */
};

/* clang-format off */
#define CTFY_ERROR_INIT { CTFY_ERROR_NONE, 0, 0 }
/* clang-format on */

/* Frees the detail and makes the struct as new. */
CTFY_API void ctfy_error_done(struct ctfy_error *error);

/* "node", "timeout", ...: a static word for a kind. */
CTFY_API const char *ctfy_error_word(enum ctfy_error_kind kind);

#ifdef __cplusplus
}
#endif

#endif
