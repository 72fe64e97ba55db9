/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of Kubernetes that specs borrow, as keys of a compose service.
 */
#ifndef CHALLENGE_KUBERNETES_H
#define CHALLENGE_KUBERNETES_H

struct spec;
struct yaml_node;

/* resources: {limits: {memory: 100Mi, cpu: 500m}} */
void kubernetes_resources(struct spec *spec, struct yaml_node *service,
			  const struct yaml_node *value);

/* securityContext: privileged, capabilities, readOnlyRootFilesystem, runAsUser. */
void kubernetes_security(struct spec *spec, struct yaml_node *service,
			 const struct yaml_node *value);

/* env: [{name, value}] */
void kubernetes_environment(struct spec *spec, struct yaml_node *service,
			    const struct yaml_node *value);

#endif
