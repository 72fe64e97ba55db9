/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemons' log, on standard error: text for a terminal, one JSON object a line otherwise.
 *
 * Only node/, platform/ and cli/ log (and the HTTP dispatcher, its one line per failed request);
 * other rooms return errors. A line for something survived says so.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON };

void log_open(enum log_format format, enum log_level least);

/* The request whose story the thread's next lines belong to; NULL: none. Copied. */
void log_set_request(const char *id);
const char *log_request(void); /* "" when none */

__attribute__((format(printf, 2, 3))) void log_line(enum log_level level, const char *fmt, ...);

#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)
#define log_info(...)  log_line(LOG_INFO, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)

#endif
