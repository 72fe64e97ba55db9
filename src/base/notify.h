/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words to the service manager (systemd's sd_notify protocol): "READY=1", "STOPPING=1"...
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

/* Does nothing where no manager listens (NOTIFY_SOCKET is unset). */
void service_notify(const char *state);

#endif
