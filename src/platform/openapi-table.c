/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/openapi.h"

#include <stddef.h>

/* clang-format off */
const struct openapi_schema openapi_schemas[] = {
	{ "Error", "detail:*" },
	{ "Health", "status:s version:s" },

	{ "User", "id:s name:s role:s ~disabled:b created_at:t" },
	{ "Users", "users:[User] next_cursor:s?" },
	{ "Credentials", "name:s password:s" },
	{ "UserChange", "~role:s ~disabled:b" },
	{ "BulkFilter", "~ids:[s] ~name:s ~since:t ~until:t ~alone:b ~idle:b ~unsolved:b" },
	{ "BulkAct", "act:s filter:BulkFilter ~expected:i" },
	{ "BulkRow", "id:s name:s outcome:s created_at:t submissions:i instances:i" },
	{ "BulkUsers", "act:s done:b count:i users:[BulkRow]" },
	{ "BulkTeams", "act:s done:b count:i teams:[BulkRow]" },
	{ "PasswordChange", "old_password:s password:s" },
	{ "Login", "name:s password:s ~cookie:b" },
	{ "Oidc", "enabled:b label:s?" },
	{ "Token", "id:s name:s scope:s instance_id:s? created_at:t expires_at:t? ~current:b" },
	{ "Tokens", "tokens:[Token]" },
	{ "NewToken", "name:s ~scope:s ~instance_id:s ~days:i" },
	{ "ToldToken", "+Token user:User ~token:s ~csrf_token:s" },
	{ "Scope", "scope:s ~instance_id:s ~challenge_id:s ~competition_id:s" },
	{ "TeamName", "id:s name:s" },
	{ "Me", "+User team:TeamName? token:Scope" },

	{ "Member", "id:s name:s joined_at:t" },
	{ "TeamLine", "id:s name:s captain_id:s division:s? ~hidden:b created_at:t" },
	{ "Team", "+TeamLine competition_id:s invite:s members:[Member]" },
	{ "Teams", "teams:[TeamLine] next_cursor:s?" },
	{ "NewTeam", "name:s ~division:s ~code:s" },
	{ "Joining", "invite:s" },
	{ "TeamChange", "~division:s ~hidden:b" },

	{ "Division", "id:s name:s" },
	{ "Competition", "id:s name:s description:s starts_at:t? ends_at:t? freeze_at:t? registration:s"
			 " scoreboard:s team_size:i instance_ttl:i max_instances:i first_blood:i"
			 " first_blood_percent:i practice:b strict_answers:b divisions:[Division]" },
	{ "Competitions", "competitions:[Competition]" },
	{ "Rate", "burst:i period_ms:i" },
	{ "Entrant", "name:s ~division:s ~code:s" },
	{ "CompetitionChallenge", "id:s ~opens_at:t ~closes_at:t ~requires:[s] ~value:i ~minimum:i"
				  " ~decay:i ~function:s ~attempts:i ~max_instances:i" },
	{ "WholeCompetition", "+Competition invite:s? max_instances_total:i every_challenge:b entrants:[Entrant]"
			      " answer_rate:Rate? challenges:[CompetitionChallenge] ~file:s" },
	{ "Change", "key:s from:* to:*" },
	{ "AppliedCompetition", "+WholeCompetition changes:[Change] warnings:[s]" },

	{ "AgentRun", "image:s ~command:[s] ~env:o" },
	{ "Endpoint", "service:s container_port:i protocol:s host:s port:i url:s? command:s" },
	{ "Instance", "id:s competition_id:s challenge_id:s status:s detail:s? endpoints:[Endpoint]"
		      " ttl:i created_at:t started_at:t? expires_at:t? ended_at:t?" },
	{ "SeenInstance", "+Instance ~is_healthy:b ~services:[o] ~phase:s? ~queue_position:i ~eta_ms:i"
			  " ~eta_p95_ms:i" },
	{ "Instances", "instances:[Instance]" },
	{ "AdminInstance", "+Instance team_id:s team:s user_id:s node_id:s node:s? cause:s?" },
	{ "WholeInstance", "+AdminInstance user:s copy_id:s answered_questions:[s] ~is_healthy:b ~services:[o]"
			   " ~phase:s? ~queue_position:i ~eta_ms:i ~eta_p95_ms:i" },
	{ "Extension", "~extend:i ~until:t" },
	{ "AdminInstances", "instances:[AdminInstance] next_cursor:s?" },

	{ "Needed", "id:s name:s" },
	{ "ChallengeLine", "id:s name:s category:s? value:i solvers:i first_blood:TeamName? solved:b questions:i"
			   " questions_solved:i has_instance:b tags:[s] closes_at:t? needs:Needed?"
			   " instance:Instance?" },
	{ "Challenges", "competition_id:s challenges:[ChallengeLine]" },
	{ "Question", "id:s text:s? value:i solved:b" },
	{ "Hint", "index:i cost:i unlocked:b ~title:s? text:s? ~needs:i?" },
	{ "Challenge", "id:s name:s category:s? value:i solvers:i first_blood:TeamName? solved:b questions:[Question]"
		       " questions_solved:i has_instance:b tags:[s] closes_at:t? needs:Needed?"
		       " instance:Instance? description:s? author:s? connection_info:s? attempts:i"
		       " hints:[Hint] requires:[s]" },
	{ "Attachment", "filename:s size:i content_type:s? ~sha256:s?" },
	{ "Attachments", "attachments:[Attachment]" },

	{ "Answer", "answer:s ~question:s" },
	{ "Verdict", "id:s challenge_id:s question_id:s? verdict:s first_blood:b? value:i" },
	{ "Submission", "id:s challenge_id:s question_id:s? user_id:s answer:s verdict:s submitted_at:t" },
	{ "Submissions", "submissions:[Submission] next_cursor:s?" },
	{ "AdminSubmission", "+Submission competition_id:s team_id:s team:s instance_id:s?"
			     " other_team_id:s? other_team:s? other_instance_id:s? peer:s?" },
	{ "AdminSubmissions", "submissions:[AdminSubmission] next_cursor:s?" },
	{ "Ruling", "verdict:s" },
	{ "Ruled", "id:s verdict:s" },
	{ "Side", "team_id:s team:s instance_id:s? created_at:t? started_at:t? ended_at:t? evidence:s?" },
	{ "Review", "submission_id:s challenge_id:s user_id:s user:s answer:s review:s note:s? peer:s?"
		    " submitted_at:t by:Side of:Side" },
	{ "Reviews", "reviews:[Review] next_cursor:s?" },
	{ "Resolution", "review:s ~note:s" },
	{ "Suspicion", "reasons:[s] team_id:s team:s challenge_id:s question_id:s submission_id:s"
		       " solved_at:t started_at:t? downloaded_at:t? instance_id:s? evidence:s?" },
	{ "Suspicions", "suspicions:[Suspicion] next_cursor:s?" },

	{ "BoardLine", "rank:i team_id:s team:s ~division:s ~division_rank:i score:i solved:i"
		       " last_solve_at:t?" },
	{ "Scoreboard", "competition_id:s competition:s ~division:s frozen:b teams:[BoardLine]" },
	{ "Point", "at:t score:i" },
	{ "Solve", "challenge_id:s challenge:s category:s? question_id:s value:i first_blood:b solved_at:t" },
	{ "TeamMember", "name:s captain:b" },
	{ "TeamPage", "+BoardLine competition_id:s competition:s frozen:b members:[TeamMember]"
		      " solves:[Solve] points:[Point]" },
	{ "Way", "rank:i team_id:s team:s score:i points:[Point]" },
	{ "History", "competition_id:s competition:s ~division:s frozen:b teams:[Way]" },
	{ "CtftimeLine", "pos:i team:s score:i lastAccept:i" },
	{ "Ctftime", "tasks:[s] standings:[CtftimeLine]" },

	{ "Notice", "id:s competition_id:s text:s at:t" },
	{ "Notices", "notices:[Notice] next_cursor:s?" },
	{ "NewNotice", "text:s" },
	{ "AuditEntry", "id:s user_id:s? user:s? action:s object:s? note:s? status:i peer:s?"
			" request_id:s? at:t" },
	{ "Audit", "entries:[AuditEntry] next_cursor:s?" },

	{ "ArchivedFile", "name:s size:i ~sha256:s" },
	{ "Archive", "id:s instance_id:s team_id:s team:s? challenge_id:s node_id:s status:s detail:s?"
		     " size:i ended_at:t archived_at:t? files:[ArchivedFile]" },
	{ "Archives", "archives:[Archive] next_cursor:s?" },

	{ "Registration", "join_secret:s name:s url:s" },
	{ "Registered", "node_id:s token:s" },
	{ "Supply", "promised:i most:i" },
	{ "Node", "id:s name:s url:s state:s detail:s? running:i capacity:i memory:Supply"
		  " nano_cpus:Supply version:s? engine:s? seen_at:t? ~drained:b ~warning:s?" },
	{ "Nodes", "nodes:[Node] ~warning:s?" },
	{ "JoinSecret", "id:s name:s single_use:b created_at:t expires_at:t? used_at:t? used_by:s? nodes:[s]" },
	{ "JoinSecrets", "join_secrets:[JoinSecret]" },
	{ "NewJoinSecret", "~name:s ~single_use:b ~days:i ~nodes:[s]" },
	{ "ToldJoinSecret", "+JoinSecret ~secret:s ~join_secret:s" },
	{ "NodeReports", "nodes:[o]" },
	{ "Problem", "kind:s file:s? line:i column:i key:s? message:s? opt_in:s? allows:s?" },
	{ "Lint", "path:s id:s? dialect:s? outcome:s problems:[Problem]" },
	{ "Lints", "challenges:[Lint]" },
	{ "NodeLint", "node_id:s node:s lint:Lint" },
	{ "NodeLints", "node_id:s node:s lints:Lints" },
	{ "TrialStep", "step:s ms:i" },
	{ "TrialAnswer", "question:s found:b" },
	{ "Trial", "challenge_id:s outcome:s step:s? detail:s? steps:[TrialStep] answers:[TrialAnswer]"
		   " output:s? started_at:t? ended_at:t?" },
	{ "NodeTrial", "node_id:s node:s trial:Trial" },
	{ NULL, NULL },
};

#define PAGE "limit:i cursor:s"
#define WHERE "competition:s"

const struct openapi_route openapi_routes[] = {
	{ "GET", "/health", "The platform is there.", NULL, NULL, "200:Health" },

	{ "POST", "/users", "Make an account.", NULL, "Credentials", "201:User" },
	{ "POST", "/sessions", "Log in: a token, or a cookie.", NULL, "Login", "201:ToldToken" },
	{ "DELETE", "/sessions", "Log out: ends the token of this call.", NULL, NULL, "204" },
	{ "GET", "/oidc", "Whether people log in with an OpenID provider.", NULL, NULL, "200:Oidc" },
	{ "GET", "/oidc/login", "Send a browser there; with link, to link an account.", "next:s link:b", NULL, "302" },
	{ "GET", "/oidc/callback", "Where it comes back to, to the web interface.", "code:s state:s iss:s error:s error_description:s", NULL, "302" },
	{ "GET", "/me", "Who I am, and what this token may.", WHERE, NULL, "200:Me" },
	{ "PUT", "/me/password", "Change the password; ends all other tokens.", NULL, "PasswordChange", "204" },
	{ "GET", "/me/tokens", "My tokens.", NULL, NULL, "200:Tokens" },
	{ "POST", "/me/tokens", "Make a token, told once.", NULL, "NewToken", "201:ToldToken" },
	{ "DELETE", "/me/tokens/{token}", "End a token.", NULL, NULL, "204" },

	{ "GET", "/team", "My team.", WHERE, NULL, "200:Team" },
	{ "POST", "/teams", "Make a team.", WHERE, "NewTeam", "201:Team" },
	{ "GET", "/teams/{team}", "A team as the scoreboard shows it.", NULL, NULL, "200:TeamPage" },
	{ "POST", "/team/members", "Join a team by its invite.", WHERE, "Joining", "200:Team" },
	{ "DELETE", "/team/members/me", "Leave my team.", WHERE, NULL, "204" },

	{ "GET", "/competitions", "All competitions.", NULL, NULL, "200:Competitions" },
	{ "GET", "/challenges", "The challenges of a competition.", WHERE, NULL, "200:Challenges" },
	{ "GET", "/challenges/{id}", "One challenge.", WHERE, NULL, "200:Challenge" },
	{ "POST", "/challenges/{id}/hints/{hint}", "Get a hint, for its cost.", WHERE, NULL, "200:Hint" },
	{ "GET", "/challenges/{id}/attachments", "Its files.", WHERE, NULL, "200:Attachments" },
	{ "GET", "/challenges/{id}/attachments/{name}", "One file.", WHERE, NULL, "200:application/octet-stream" },
	{ "GET", "/challenges/{id}/openvpn-config", "The VPN profile of my instance.", WHERE, NULL, "200:application/x-openvpn-profile" },
	{ "POST", "/challenges/{id}/submissions", "Answer it.", WHERE, "Answer", "201:Verdict" },
	{ "GET", "/submissions", "My team's answers, the newest first.", WHERE " challenge:s " PAGE, NULL, "200:Submissions" },

	{ "GET", "/instances", "My team's live instances.", WHERE, NULL, "200:Instances" },
	{ "POST", "/challenges/{id}/instance", "Start my team's instance.", WHERE, NULL, "200:Instance 201:Instance 202:Instance" },
	{ "GET", "/challenges/{id}/instance", "My team's instance, or the last one.", WHERE " check:b", NULL, "200:SeenInstance" },
	{ "PATCH", "/challenges/{id}/instance", "Renew it.", WHERE, NULL, "200:Instance" },
	{ "DELETE", "/challenges/{id}/instance", "Stop it.", WHERE, NULL, "200:Instance 202:Instance" },

	{ "GET", "/scoreboard", "Who leads.", WHERE " division:s", NULL, "200:Scoreboard 304" },
	{ "GET", "/scoreboard/history", "How the leaders got there.", WHERE " division:s", NULL, "200:History 304" },
	{ "GET", "/scoreboard/ctftime", "As CTFtime reads it.", WHERE " division:s", NULL, "200:Ctftime 304" },
	{ "GET", "/events", "News as they come: Server-Sent Events.", WHERE, NULL, "200:text/event-stream" },
	{ "GET", "/notices", "What organisers told, the newest first.", WHERE " " PAGE, NULL, "200:Notices" },

	{ "POST", "/nodes/register", "A node joins, or is here again.", NULL, "Registration", "201:Registered" },
	{ "GET", "/nodes/me", "What the platform knows of the node that asks.", NULL, NULL, "200:Node" },

	{ "GET", "/admin/users", "All accounts, the newest first.", PAGE, NULL, "200:Users" },
	{ "POST", "/admin/users", "Make an account where registration is closed.", NULL, "Credentials", "201:User" },
	{ "PATCH", "/admin/users/{user}", "Change a role; lock an account out.", NULL, "UserChange", "200:User" },
	{ "POST", "/admin/users/bulk", "Disable, enable or delete many players; without 'expected' a preview.", NULL, "BulkAct", "200:BulkUsers" },
	{ "GET", "/admin/teams", "All teams, the newest first.", WHERE " " PAGE, NULL, "200:Teams" },
	{ "POST", "/admin/teams/bulk", "Hide, show, stop or delete many teams; without 'expected' a preview.", WHERE, "BulkAct", "200:BulkTeams" },
	{ "PATCH", "/admin/teams/{team}", "Change a team's division; hide it.", NULL, "TeamChange", "200:Team" },
	{ "GET", "/admin/scoreboard", "The scoreboard as it really stands.", WHERE " division:s", NULL, "200:Scoreboard 304" },
	{ "POST", "/admin/competitions", "Make a competition what its file says.", "dry_run:b", "application/yaml", "200:AppliedCompetition 201:AppliedCompetition" },
	{ "GET", "/admin/competitions/{competition}", "All of a competition.", NULL, NULL, "200:WholeCompetition" },
	{ "GET", "/admin/submissions", "All answers, the newest first.", WHERE " verdict:s challenge:s " PAGE, NULL, "200:AdminSubmissions" },
	{ "PATCH", "/admin/submissions/{submission}", "Judge an answer that was held.", WHERE, "Ruling", "200:Ruled" },
	{ "GET", "/admin/reviews", "Other teams' answers, the newest first.", WHERE " state:s " PAGE, NULL, "200:Reviews" },
	{ "PATCH", "/admin/reviews/{submission}", "Judge one.", NULL, "Resolution", "204" },
	{ "GET", "/admin/suspicions", "Solves that went oddly.", WHERE " quick:i " PAGE, NULL, "200:Suspicions" },
	{ "POST", "/admin/notices", "Tell the players something.", WHERE, "NewNotice", "201:Notice" },
	{ "GET", "/admin/audit", "What organisers did, the newest first.", PAGE, NULL, "200:Audit" },
	{ "GET", "/admin/instances", "The live instances, or all there were; the newest first.", "all:b " PAGE, NULL, "200:AdminInstances" },
	{ "GET", "/admin/instances/{instance}", "Any instance.", "check:b", NULL, "200:WholeInstance" },
	{ "PATCH", "/admin/instances/{instance}", "Set when it ends.", NULL, "Extension", "200:WholeInstance" },
	{ "DELETE", "/admin/instances/{instance}", "Stop any instance.", NULL, NULL, "200:AdminInstance 202:AdminInstance" },
	{ "GET", "/admin/instances/{instance}/containers", "Its containers.", NULL, NULL, "200:application/json" },
	{ "GET", "/admin/instances/{instance}/container-logs", "What they said.", NULL, NULL, "200:text/plain 200:application/json" },
	{ "GET", "/admin/instances/{instance}/traffic", "Its recorded HTTP.", NULL, NULL, "200:application/json" },
	{ "GET", "/admin/instances/{instance}/pcap", "Its packets.", NULL, NULL, "200:application/vnd.tcpdump.pcap" },
	{ "GET", "/admin/instances/{instance}/evidence", "The bundle of its evidence.", NULL, NULL, "200:application/octet-stream" },
	{ "GET", "/admin/instances/{instance}/timeline", "What happened to it.", NULL, NULL, "200:application/json" },
	{ "GET", "/admin/instances/{instance}/agent-runtime", "How to attach an agent.", NULL, NULL, "200:application/json" },
	{ "POST", "/admin/instances/{instance}/agent-runs", "Run an agent on its network.", NULL, "AgentRun", "200:application/x-ndjson" },
	{ "GET", "/admin/instances/{instance}/openvpn-config", "Its VPN profile.", NULL, NULL, "200:application/x-openvpn-profile" },
	{ "GET", "/admin/instances/{instance}/containers/{container}/shell", "A shell in it: a WebSocket.", NULL, NULL, "101" },
	{ "GET", "/admin/nodes", "The nodes and how they are.", NULL, NULL, "200:Nodes" },
	{ "GET", "/admin/nodes/{node}", "One node.", NULL, NULL, "200:Node" },
	{ "DELETE", "/admin/nodes/{node}", "Forget a node without instances.", NULL, NULL, "204" },
	{ "POST", "/admin/nodes/{node}/drain", "Give it nothing new.", NULL, NULL, "200:Node" },
	{ "POST", "/admin/nodes/{node}/undrain", "Give it new ones again.", NULL, NULL, "200:Node" },
	{ "POST", "/admin/nodes/{node}/token", "Give it another token, told once.", NULL, NULL, "201:Registered" },
	{ "DELETE", "/admin/nodes/{node}/token", "End its token.", NULL, NULL, "204" },
	{ "GET", "/admin/archives", "What was kept of instances, the newest first.", "team:s challenge:s instance:s submission:s " PAGE, NULL, "200:Archives" },
	{ "GET", "/admin/archives/{archive}/{file}", "A file of one.", NULL, NULL, "200:application/octet-stream" },
	{ "GET", "/admin/join-secrets", "What nodes may join with.", NULL, NULL, "200:JoinSecrets" },
	{ "POST", "/admin/join-secrets", "Make a secret to join with, told once.", NULL, "NewJoinSecret", "201:ToldJoinSecret" },
	{ "DELETE", "/admin/join-secrets/{secret}", "End one.", NULL, NULL, "204" },
	{ "POST", "/admin/challenges/build", "Have the nodes build images.", WHERE " challenge:s", NULL, "202:NodeReports" },
	{ "POST", "/admin/challenges/pull", "Have the nodes pull images.", WHERE " challenge:s", NULL, "202:NodeReports" },
	{ "GET", "/admin/challenges/images", "The images on every node.", WHERE " challenge:s", NULL, "200:NodeReports" },
	{ "GET", "/admin/challenges/lint", "What is wrong with a node's challenges.", "node:s", NULL, "200:NodeLints" },
	{ "GET", "/admin/challenges/{id}/lint", "What is wrong with one.", "node:s", NULL, "200:NodeLint" },
	{ "POST", "/admin/challenges/{id}/trial", "Have a node try a challenge with its own solver.", "node:s", NULL, "202:NodeTrial" },
	{ "GET", "/admin/challenges/{id}/trial", "How that goes, or how it went the last time.", "node:s", NULL, "200:NodeTrial" },
	{ "PUT", "/admin/challenges/{id}", "Put a challenge's folder, a tar by gzip, into its place, here and on every node.", NULL, "application/gzip", "200:application/json" },
	{ "POST", "/admin/challenges/rescan", "Read the challenge folders again, here and on every node.", NULL, NULL, "200:application/json" },
	{ NULL, NULL, NULL, NULL, NULL, NULL },
};
/* clang-format on */
