/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One row per way a request can fail: code, HTTP status, wire word.
 * Included under different ERR_CODE macros; no include guard.
 */
ERR_CODE(INVALID, 400, "invalid")
ERR_CODE(UNAUTHORIZED, 401, "unauthorized")
ERR_CODE(FORBIDDEN, 403, "forbidden")
ERR_CODE(NOT_FOUND, 404, "not-found")
ERR_CODE(METHOD, 405, "method-not-allowed")
ERR_CODE(CONFLICT, 409, "conflict")
ERR_CODE(TOO_LARGE, 413, "too-large")
ERR_CODE(VALIDATION, 422, "validation")
ERR_CODE(UPGRADE, 426, "upgrade-required")
ERR_CODE(RATE_LIMITED, 429, "rate-limited")
ERR_CODE(INTERNAL, 500, "internal")
ERR_CODE(MEMORY, 500, "out-of-memory")
ERR_CODE(STORE, 500, "store")
ERR_CODE(UNIMPLEMENTED, 501, "not-implemented")
ERR_CODE(ENGINE, 502, "engine")
ERR_CODE(NODE, 502, "node")
ERR_CODE(CONNECT, 502, "connect")
ERR_CODE(TLS, 502, "tls")
ERR_CODE(TRANSPORT, 502, "transport")
ERR_CODE(PROTOCOL, 502, "protocol")
ERR_CODE(UNAVAILABLE, 503, "unavailable")
ERR_CODE(TIMEOUT, 504, "timeout")
ERR_CODE(POLICY, 422, "policy")
ERR_CODE(ABORTED, 500, "aborted")
