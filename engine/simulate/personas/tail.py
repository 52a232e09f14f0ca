"""The long tail of a real trail: hundreds of calls each of which is rare, made by consoles, command lines, exporters and templates.

In the one real trail of ordinary work at hand (2,900 records of people and templates) 260 names occur, 71 of them once, the ten most common make a
third of all, a tenth fails and a fifth writes. Names here are AWS's own; which of them are common, and how common, is a law of ranks, not a list.
"""

from __future__ import annotations

from engine.simulate.personas.habits import DENIED, THROTTLED, UNAUTHORISED, Failure, Habit, habit

_READ = {
    "ec2": "DescribeVolumes DescribeAddresses DescribeTags DescribeImages DescribeSnapshots DescribeKeyPairs DescribeNetworkAcls "
    "DescribeInternetGateways DescribeVpcEndpoints DescribeVpcAttribute DescribeDhcpOptions DescribeInstanceStatus "
    "DescribeInstanceTypes DescribeInstanceAttribute DescribeLaunchTemplates DescribeLaunchTemplateVersions DescribeFlowLogs "
    "DescribePrefixLists DescribeVpcPeeringConnections DescribeHosts DescribeVolumeStatus DescribeVolumesModifications "
    "DescribePlacementGroups DescribeReservedInstances DescribeSpotPriceHistory DescribeRegions DescribeTransitGateways "
    "DescribeVpnConnections DescribeInstanceCreditSpecifications DescribeSecurityGroupRules GetConsoleOutput "
    "GetEbsEncryptionByDefault DescribeManagedPrefixLists DescribeCapacityReservations DescribeIamInstanceProfileAssociations",
    "iam": "GetPolicy GetPolicyVersion ListPolicies ListPolicyVersions ListEntitiesForPolicy GetInstanceProfile ListInstanceProfiles "
    "ListGroups ListGroupsForUser ListAttachedUserPolicies ListUserPolicies GetAccountPasswordPolicy ListAccountAliases GetRolePolicy "
    "ListRoleTags GetServiceLastAccessedDetails ListAccessKeys GetAccessKeyLastUsed GetOpenIDConnectProvider "
    "ListInstanceProfilesForRole",
    "rds": "DescribeDBClusters DescribeDBSnapshots DescribeDBParameterGroups DescribeDBSubnetGroups DescribeDBEngineVersions DescribeEvents "
    "ListTagsForResource DescribeDBLogFiles DescribePendingMaintenanceActions DescribeCertificates DescribeDBInstanceAutomatedBackups",
    "elasticloadbalancing": "DescribeLoadBalancers DescribeTargetGroups DescribeListeners DescribeRules DescribeLoadBalancerAttributes DescribeTags",
    "autoscaling": "DescribeAutoScalingGroups DescribeScalingActivities DescribeLaunchConfigurations DescribePolicies",
    "lambda": "ListFunctions20150331 GetFunction20150331v2 GetFunctionConfiguration20150331v2 GetPolicy20150331v2 "
    "ListEventSourceMappings20150331 ListVersionsByFunction20150331 ListAliases20150331 ListLayers20181031 GetAccountSettings20160819",
    "logs": "DescribeLogGroups DescribeLogStreams DescribeMetricFilters DescribeSubscriptionFilters GetLogEvents GetQueryResults ListTagsForResource",
    "monitoring": "ListMetrics GetMetricData DescribeAlarmHistory GetDashboard ListDashboards DescribeAnomalyDetectors",
    "cloudformation": "ListStacks DescribeStackResources GetTemplate DescribeChangeSet ListStackResources ListExports GetTemplateSummary",
    "s3": "GetBucketTagging GetBucketWebsite GetBucketNotification GetBucketReplication GetBucketRequestPayment "
    "GetBucketObjectLockConfiguration GetAccelerateConfiguration GetBucketOwnershipControls GetStorageLensDashboard "
    "GetAccountPublicAccessBlock",
    "kms": "DescribeKey ListAliases ListKeys GetKeyRotationStatus ListResourceTags ListGrants",
    "ecs": "ListClusters DescribeClusters ListServices ListTasks DescribeTaskDefinition ListTaskDefinitions DescribeContainerInstances",
    "ecr": "DescribeRepositories DescribeImages ListImages GetLifecyclePolicy DescribeImageScanFindings GetRepositoryPolicy",
    "eks": "ListClusters DescribeCluster ListNodegroups DescribeNodegroup ListAddons DescribeAddonVersions ListFargateProfiles",
    "ssm": "DescribeInstanceInformation ListAssociations DescribeAssociation GetParameters GetInventory ListDocuments DescribeDocument "
    "ListTagsForResource GetParameterHistory ListComplianceSummaries",
    "secretsmanager": "GetResourcePolicy ListSecretVersionIds DescribeSecret",
    "dynamodb": "ListTables DescribeTimeToLive DescribeContinuousBackups ListTagsOfResource DescribeLimits DescribeBackup",
    "sns": "ListTopics GetTopicAttributes ListSubscriptions ListSubscriptionsByTopic",
    "sqs": "ListQueues GetQueueAttributes ListQueueTags",
    "route53": "ListHostedZones ListResourceRecordSets GetHostedZone GetChange ListTagsForResource",
    "acm": "ListCertificates DescribeCertificate ListTagsForCertificate",
    "cloudfront": "ListDistributions GetDistribution GetDistributionConfig ListCachePolicies",
    "elasticache": "DescribeCacheClusters DescribeReplicationGroups DescribeCacheSubnetGroups",
    "events": "ListRules ListTargetsByRule DescribeRule ListEventBuses",
    "states": "ListStateMachines DescribeStateMachine ListExecutions DescribeExecution",
    "glue": "GetTables GetDatabases GetJobs GetJobRuns GetCrawlers",
    "athena": "GetQueryExecution ListWorkGroups GetWorkGroup ListDataCatalogs",
    "codebuild": "BatchGetBuilds ListBuildsForProject BatchGetProjects",
    "config": "DescribeConfigurationRecorders DescribeConfigRules GetComplianceSummaryByConfigRule SelectResourceConfig",
    "cloudtrail": "DescribeTrails GetEventSelectors ListTrails GetInsightSelectors",
    "guardduty": "GetDetector ListFindings GetFindings GetFindingsStatistics",
    "organizations": "ListAccounts DescribeAccount ListParents ListPolicies",
    "ce": "GetCostAndUsage GetCostForecast GetDimensionValues",
    "budgets": "DescribeBudgets ViewBudget",
    "servicequotas": "ListServiceQuotas ListRequestedServiceQuotaChangeHistory ListServices",
    "support": "DescribeTrustedAdvisorChecks DescribeCases DescribeSeverityLevels",
    "tagging": "GetResources GetTagKeys GetTagValues",
    "ses": "GetSendQuota ListIdentities GetSendStatistics",
    "sagemaker": "ListNotebookInstanceLifecycleConfigs ListProcessingJobs ListTransformJobs ListTags DescribeEndpoint ListExperiments",
    "bedrock": "GetFoundationModel ListProvisionedModelThroughputs ListTagsForResource ListAgents ListKnowledgeBases GetGuardrail",
    "access-analyzer": "ListAnalyzers ListFindings",
    "backup": "ListBackupVaults ListBackupPlans ListRecoveryPointsByBackupVault",
    "wafv2": "ListWebACLs GetWebACL GetWebACLForResource",
}
_WRITE = {
    "ec2": "CreateTags DeleteTags ModifyInstanceAttribute CreateSnapshot DeleteSnapshot ModifyVolume AttachVolume DetachVolume StopInstances "
    "StartInstances RebootInstances TerminateInstances CreateLaunchTemplateVersion RevokeSecurityGroupIngress CreateSecurityGroup "
    "DeleteSecurityGroup AllocateAddress AssociateAddress CreateNetworkInterface ModifyNetworkInterfaceAttribute CreateImage "
    "DeregisterImage CreateRoute",
    "autoscaling": "UpdateAutoScalingGroup SetDesiredCapacity CompleteLifecycleAction",
    "elasticloadbalancing": "RegisterTargets DeregisterTargets ModifyTargetGroup ModifyRule AddTags",
    "logs": "CreateLogGroup PutMetricFilter TagResource PutSubscriptionFilter",
    "monitoring": "PutMetricAlarm DeleteAlarms PutDashboard SetAlarmState",
    "s3": "PutBucketTagging PutBucketNotification PutBucketVersioning CreateBucket DeleteBucket PutBucketEncryption",
    "ssm": "PutParameter DeleteParameter SendCommand UpdateInstanceInformation AddTagsToResource StartSession TerminateSession",
    "iam": "TagRole CreateRole DeleteRole CreatePolicy DeletePolicyVersion AddRoleToInstanceProfile",
    "lambda": "PublishVersion20150331 UpdateAlias20150331 TagResource20170331v2 PutFunctionConcurrency20171031",
    "rds": "CreateDBSnapshot DeleteDBSnapshot ModifyDBInstance AddTagsToResource RebootDBInstance",
    "ecs": "RunTask StopTask DeregisterTaskDefinition TagResource",
    "route53": "ChangeResourceRecordSets",
    "events": "PutRule PutTargets EnableRule DisableRule",
    "sqs": "SetQueueAttributes CreateQueue PurgeQueue",
    "sns": "Subscribe SetTopicAttributes CreateTopic",
    "kms": "CreateAlias TagResource EnableKeyRotation",
    "cloudfront": "CreateInvalidation UpdateDistribution",
    "codebuild": "StartBuild",
    "glue": "StartJobRun StartCrawler UpdateTable",
    "athena": "StartQueryExecution StopQueryExecution",
    "secretsmanager": "PutSecretValue TagResource UpdateSecret",
    "dynamodb": "UpdateTable TagResource CreateBackup",
}
_MISSING = (0.07, "ResourceNotFoundException", "The requested resource was not found.")


def _calls(table: dict[str, str]) -> list[tuple[str, str]]:
    """All of a table, services mixed: the first names of each before the second ones."""
    rows = [(number / len(names.split()), service, name) for service, names in table.items() for number, name in enumerate(names.split())]
    return [(service, name) for _, service, name in sorted(rows)]


def _failures(service: str, number: int) -> tuple[Failure, ...]:
    refused = (0.09, *(UNAUTHORISED if service == "ec2" else DENIED)[1:])
    return (refused,) if number % 3 else (refused, _MISSING, (0.04, *THROTTLED[1:]))


def with_tail(habits: tuple[Habit, ...], share: float, *, writes: float) -> tuple[Habit, ...]:
    """``habits`` and rare calls that make ``share`` of them all; ``writes`` of these change something.

    The rare call of rank r has weight 1 / (r + 9): few are seen daily, most hardly ever.
    """
    whole = sum(each.weight for each in habits) * share / (1 - share)
    made = list(habits)
    for table, part in ((_READ, whole * (1 - writes)), (_WRITE, whole * writes)):
        calls = _calls(table)
        unit = part / sum(1 / (rank + 9) for rank in range(1, len(calls) + 1))
        ranked = enumerate(calls, 1) if part else ()
        made += [habit(unit / (rank + 9), service, name, *_failures(service, rank), write=table is _WRITE) for rank, (service, name) in ranked]
    return tuple(made)
