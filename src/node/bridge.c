/* SPDX-License-Identifier: Apache-2.0 */
#include "node/bridge.h"

#include "base/err.h"
#include "base/own.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* Of linux/if_link.h since 6.8; Debian 12's is older, and its `ip`, too. */
enum { BRIDGE_FDB_MAX_LEARNED = IFLA_BR_MCAST_QUERIER_STATE + 2 };

struct request {
	struct nlmsghdr head;
	struct ifinfomsg link;
	uint8_t attributes[64];
};

/* An attribute at the message's end; its length is grown by what is added later. */
static struct rtattr *add(struct request *request, unsigned short type, const void *data,
			  size_t len)
{
	struct rtattr *attribute =
		(struct rtattr *)((uint8_t *)request + NLMSG_ALIGN(request->head.nlmsg_len));

	attribute->rta_type = type;
	attribute->rta_len = (unsigned short)RTA_LENGTH(len);
	if (len)
		memcpy(RTA_DATA(attribute), data, len);
	request->head.nlmsg_len =
		NLMSG_ALIGN(request->head.nlmsg_len) + (uint32_t)RTA_ALIGN(attribute->rta_len);
	return attribute;
}

static void end(const struct request *request, struct rtattr *attribute)
{
	attribute->rta_len = (unsigned short)((const uint8_t *)request + request->head.nlmsg_len -
					      (const uint8_t *)attribute);
}

static int ask(const struct request *request, struct err *e)
{
	AUTO(int, closep) fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct {
		struct nlmsghdr head;
		struct nlmsgerr error;
		uint8_t rest[256]; /* of the request, told again */
	} answer;
	ssize_t len;

	if (fd < 0 || send(fd, request, request->head.nlmsg_len, 0) < 0)
		return err_errno(e, ERR_INTERNAL, "ask the kernel to limit a bridge");
	len = recv(fd, &answer, sizeof(answer), 0);
	if (len < (ssize_t)NLMSG_LENGTH(sizeof(answer.error)) ||
	    answer.head.nlmsg_type != NLMSG_ERROR)
		return err_set(e, ERR_INTERNAL, "the kernel's answer about a bridge is cut short");
	if (answer.error.error == 0 || answer.error.error == -EOPNOTSUPP)
		return 0;
	errno = -answer.error.error;
	return err_errno(e, ERR_INTERNAL, "limit what a bridge learns");
}

int bridge_limit(const char *name, struct err *e)
{
	const uint32_t most = BRIDGE_LEARNS_MAX;
	struct request request = {
		.head = { .nlmsg_len = NLMSG_LENGTH(sizeof(request.link)),
			  .nlmsg_type = RTM_NEWLINK,
			  .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK },
		.link = { .ifi_index = (int)if_nametoindex(name) },
	};
	struct rtattr *info, *data;

	if (request.link.ifi_index == 0)
		return 0;
	info = add(&request, IFLA_LINKINFO, NULL, 0);
	add(&request, IFLA_INFO_KIND, "bridge", sizeof("bridge"));
	data = add(&request, IFLA_INFO_DATA, NULL, 0);
	add(&request, BRIDGE_FDB_MAX_LEARNED, &most, sizeof(most));
	end(&request, data);
	end(&request, info);
	return ask(&request, e);
}
